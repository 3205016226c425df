/** Networks as directives name them, and whether an end of a connection lies in one. nginx: ngx_ptocidr, ngx_cidr_match. */
import { type IpAddress, parseIpv4, parseIpv6, sameNetwork } from "../base/ip.ts";
import type { Use } from "../conf/slot.ts";
import type { Endpoint } from "../io/stream.ts";

export interface Cidr {
  /** 4 or 16 bytes; those behind the prefix are zero. */
  readonly address: IpAddress;
  /** Bits. */
  readonly prefixLength: number;
}

/** A network, or all unix sockets. */
export type Network = Cidr | "unix";

/** A network as it was written. */
export interface WrittenCidr extends Cidr {
  /** Bits behind the prefix were set: worth a warning. */
  readonly hasHostBits: boolean;
}

/** Reads `192.0.2.0/24`, `2001:db8::/32` or an address; undefined when malformed. */
export function parseCidr(text: string): WrittenCidr | undefined {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const written = addressText.includes(":") ? parseIpv6(addressText) : parseIpv4(addressText);
  // nginx takes this one for an error.
  if (written === undefined || addressText === "255.255.255.255") return undefined;
  const bits = written.length * 8;
  const lengthText = text.slice(slash + 1);
  const prefixLength = slash < 0 ? bits : /^\d{1,9}$/.test(lengthText) ? Number(lengthText) : -1;
  if (prefixLength < 0 || prefixLength > bits) return undefined;
  const address = masked(written, prefixLength);
  return { address, prefixLength, hasHostBits: !sameNetwork(written, address, bits) };
}

function masked(address: IpAddress, prefixLength: number): IpAddress {
  return address.map((byte, index) => {
    const left = prefixLength - index * 8;
    return left >= 8 ? byte : left <= 0 ? 0 : byte & (0xff << (8 - left));
  });
}

/** The IPv4 address inside an IPv6 one that maps it (`::ffff:192.0.2.1`); any other address as it is. */
export function unmapped(ip: IpAddress): IpAddress {
  if (ip.length !== 16 || ip[10] !== 0xff || ip[11] !== 0xff) return ip;
  for (let i = 0; i < 10; i++) if (ip[i] !== 0) return ip;
  return ip.subarray(12);
}

/** True when one of the networks has this end. */
export function inNetworks(endpoint: Endpoint, networks: readonly Network[]): boolean {
  const ip = "ip" in endpoint ? unmapped(endpoint.ip) : undefined;
  for (let i = 0; i < networks.length; i++) {
    const network = networks[i] as Network;
    if (network === "unix") {
      if (ip === undefined) return true;
    } else if (ip !== undefined && sameNetwork(ip, network.address, network.prefixLength)) return true;
  }
  return false;
}

/** The networks of a `set_real_ip_from`: several for a name with several addresses. */
export function parseTrusted(use: Use): readonly Network[] | undefined {
  const text = use.args[0] as string;
  if (text === "unix:") return ["unix"];
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    const found = use.environment.lookUp?.(text) ?? [];
    if (found.length === 0) return use.fail(`host not found in set_real_ip_from "${text}"`);
    return found.map((address) => ({ address, prefixLength: address.length * 8 }));
  }
  if (cidr.hasHostBits) use.warn(`low address bits of ${text} are meaningless`);
  return [cidr];
}
