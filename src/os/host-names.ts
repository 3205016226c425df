/** Host names to addresses as the C library knows them: /etc/hosts, nsswitch, DNS. nginx: ngx_inet_resolve_host. */
import type { HostLookup, IpAddress } from "../base/ip.ts";
import { freeaddrinfo, getaddrinfo } from "./ffi/names.ts";
import { bytesAt } from "./ffi/native.ts";
import { AF_INET, AF_INET6, SOCK_STREAM } from "./ffi/sockets.ts";
import { decodeEndpoint } from "./sockaddr.ts";

/** Leave out a family that this machine has no address of. */
const AI_ADDRCONFIG = 0x20;
const EAI_AGAIN = -3;

// `struct addrinfo` on 64 bits: flags, family, socktype, protocol (32 bits each), addrlen, then the pointers addr, canonname, next.
const FAMILY = 4;
const SOCKTYPE = 8;
const ADDRLEN = 16;
const ADDR = 24;
const NEXT = 40;
const ADDRINFO_BYTES = 48;

/**
 * All addresses of a host name, in the order that the C library gives them; none; or "again" when no name server has answered,
 * which may have taken many seconds. Waits for the answer: not for a worker that serves.
 */
export function askForHost(name: string): readonly IpAddress[] | "again" {
  const hints = new Uint8Array(ADDRINFO_BYTES);
  viewOf(hints).setInt32(0, AI_ADDRCONFIG, true);
  viewOf(hints).setInt32(SOCKTYPE, SOCK_STREAM, true);
  const result = new Uint8Array(8);
  // Texts of a configuration are byte strings.
  const text = Buffer.from(name, "latin1").toString();
  if (text.includes("\0")) return [];
  const code = getaddrinfo(text, null, hints, result);
  if (code !== 0) return code === EAI_AGAIN ? "again" : [];
  const first = pointerAt(viewOf(result), 0);
  const found: IpAddress[] = [];
  for (let at = first; at !== 0; ) {
    const item = viewOf(bytesAt(at, ADDRINFO_BYTES));
    const address = addressIn(item);
    if (address !== undefined) found.push(address);
    at = pointerAt(item, NEXT);
  }
  freeaddrinfo(first);
  return found;
}

/** The same for who doesn't care why there are none. */
export const lookUpHost: HostLookup = (name) => {
  const found = askForHost(name);
  return found === "again" || found.length === 0 ? undefined : found;
};

function addressIn(item: DataView): IpAddress | undefined {
  const family = item.getInt32(FAMILY, true);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const length = item.getUint32(ADDRLEN, true);
  const endpoint = decodeEndpoint(bytesAt(pointerAt(item, ADDR), length), 0, length);
  return "ip" in endpoint ? endpoint.ip : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pointerAt(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}
