/** Addresses of virtual and real servers, and the ranges of `virtual_server_group`. keepalived: inet_stosockaddr, alloc_vsg_entry. */
import { compareIp, type IpAddress, parseIpv4, parseIpv6, printIp } from "../../../base/ip.ts";
import { readInteger } from "../numbers.ts";
import type { AddressRange, Protocol } from "./config.ts";
import type { AddressDraft } from "./drafts.ts";

/** A port that is written, or undefined when it is missing or nothing but zeros. */
export function portText(text: string | undefined): string | undefined {
  return text === undefined || /^0*$/.test(text) ? undefined : text;
}

/** Reads an address, from which a range or a mask is cut off, and a port; undefined when either is bad. `complain` hears why the port is. */
export function readServerAddress(
  text: string,
  port: string | undefined,
  complain: (message: string) => void,
): AddressDraft | undefined {
  let number = 0;
  if (port !== undefined) {
    const read = readInteger(port, 1, 65535);
    if (!read.ok) {
      complain(read.reason);
      return undefined;
    }
    number = read.value;
  }
  const ip = readIp(/^([^-]*)-/.exec(text)?.[1] ?? (text.split("/")[0] as string), text.includes(":"));
  return ip === undefined ? undefined : { ip, port: number };
}

function readIp(text: string, isIpv6: boolean): IpAddress | undefined {
  return isIpv6 ? parseIpv6(text) : parseIpv4(text);
}

/** `[10.0.0.1]:tcp:80`, as keepalived writes servers down. */
export function printServer({ ip, port }: AddressDraft, protocol: Protocol | undefined): string {
  return `[${printIp(ip)}]:${protocol ?? "none"}:${port}`;
}

/** A line of `virtual_server_group` that is no mark; undefined when it is bad, which `complain` has then heard. */
export function readRange(
  text: string,
  port: string | undefined,
  complain: (message: string) => void,
): AddressRange | undefined {
  const address = readServerAddress(text, port, complain);
  if (address === undefined) {
    const [label, at] = port === undefined ? ["", ""] : ["/port", `/${port}`];
    complain(`Invalid virtual server group IP address ${text} ${label}${at} - skipping`);
    return undefined;
  }
  const end = text.includes("/") ? maskEnd(address, text, complain) : dashEnd(address, text, port, complain);
  return end === undefined ? undefined : Object.freeze({ ...address, end });
}

function maskEnd({ ip }: AddressDraft, text: string, complain: (message: string) => void): IpAddress | undefined {
  const bits = ip.length * 8;
  const mask = text.slice(text.indexOf("/") + 1);
  const length = Number(mask);
  if (!/^\s*[+-]?[0-9]+$/.test(mask) || length < 1 || length > bits) {
    complain(`Invalid netmask - ${text} - skipping`);
    return undefined;
  }
  const end = Uint8Array.from(ip);
  for (let bit = length; bit < bits; bit++) {
    const value = 0x80 >> (bit & 7);
    if (((ip[bit >> 3] as number) & value) !== 0) {
      complain(`Address mask bits not empty - ${text} - skipping`);
      return undefined;
    }
    end[bit >> 3] = (end[bit >> 3] as number) | value;
  }
  return end;
}

/** `10.0.0.1-5`, `10.0.0.1-10.0.1.4`, or an address alone. */
function dashEnd(
  { ip }: AddressDraft,
  text: string,
  port: string | undefined,
  complain: (message: string) => void,
): IpAddress | undefined {
  const dash = text.indexOf("-");
  if (dash < 0) return ip;
  const rest = text.slice(dash + 1);
  const isIpv6 = ip.length === 16;
  if (rest.includes(isIpv6 ? ":" : ".")) {
    const end = readServerAddress(rest, port, complain);
    if (end === undefined) complain(`Invalid range end ${text} - skipping`);
    else if (end.ip.length !== ip.length) complain(`Range address families do not match ${text} - skipping`);
    else if (compareIp(ip, end.ip) > 0)
      complain(`Address range end is less than address range start - ${text} - skipping`);
    else return end.ip;
    return undefined;
  }
  return shortEnd(ip, text, rest, complain);
}

/** `-5`: the last octet, or of IPv6 the last group, of the end. */
function shortEnd(
  ip: IpAddress,
  text: string,
  rest: string,
  complain: (message: string) => void,
): IpAddress | undefined {
  const isIpv6 = ip.length === 16;
  const [digits = ""] = (isIpv6 ? /^(?:0[xX])?[0-9a-fA-F]*/ : /^[0-9]*/).exec(rest) ?? [];
  const value = digits === "" ? 0 : Number.parseInt(digits, isIpv6 ? 16 : 10);
  if (digits.length < rest.length) {
    complain(`Virtual server group range '${text}' has extra characters at end '${rest.slice(digits.length)}'`);
    return undefined;
  }
  if (value > (isIpv6 ? 0xffff : 0xff)) {
    complain(`Virtual server group range '${text}' end '${rest}' too large`);
    return undefined;
  }
  const end = Uint8Array.from(ip);
  if (isIpv6) end[14] = value >> 8;
  end[end.length - 1] = value & 0xff;
  if (compareIp(ip, end) < 0) return end;
  complain(`Address range end is not greater than address range start - ${text} - skipping`);
  return undefined;
}
