/** Who has open TCP connections to an address, from /proc/net/tcp and tcp6: for reports, once, when an address is lost. */
import { readFileSync } from "node:fs";
import { equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";

/** ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING. */
const OPEN = new Set(["01", "04", "05", "08", "09", "0B"]);

/** Connections to one of the addresses, by client, most first. */
export function openConnections(addresses: readonly IpAddress[]): ReadonlyMap<string, number> {
  const clients = new Map<string, number>();
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"])
    for (const { local, remote } of readTable(file))
      if (addresses.some((address) => equalBytes(address, local)))
        clients.set(printIp(remote), (clients.get(printIp(remote)) ?? 0) + 1);
  return new Map([...clients].sort(([, a], [, b]) => b - a));
}

function readTable(file: string): { readonly local: IpAddress; readonly remote: IpAddress }[] {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch {
    return []; // no such family here
  }
  return parseTcpTable(text);
}

/** Open connections of one table; an IPv4 client of an IPv6 socket has its IPv4 address. */
export function parseTcpTable(text: string): { readonly local: IpAddress; readonly remote: IpAddress }[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", remote = "", state = ""] = line.trim().split(/\s+/);
      if (!OPEN.has(state)) return [];
      const [a, b] = [parseAddress(local), parseAddress(remote)];
      return a === undefined || b === undefined ? [] : [{ local: a, remote: b }];
    });
}

/** Words of 32 bits in the byte order of the machine, `0100007F:0050`. */
function parseAddress(text: string): IpAddress | undefined {
  const [hex = ""] = text.split(":");
  if (!/^([0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  for (let word = 0; word < bytes.length; word += 4)
    for (let i = 0; i < 4; i++) {
      const at = 2 * (word + (isLittleEndian ? 3 - i : i));
      bytes[word + i] = Number.parseInt(hex.slice(at, at + 2), 16);
    }
  const isMapped = bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
