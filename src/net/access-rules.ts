/** `allow` and `deny` by address, the same for every service. nginx: ngx_http_access_module, ngx_stream_access_module. */
import { type IpAddress, sameNetwork } from "../base/ip.ts";
import type { ConfOf, Use } from "../conf/slot.ts";
import { list } from "../conf/slots.ts";
import type { Endpoint } from "../io/stream.ts";
import { type Network, parseCidr } from "./networks.ts";

/** One line. */
export interface AccessRule {
  readonly order: number;
  readonly deny: boolean;
  readonly network: "all" | Network;
}

function parseNetwork(use: Use, text: string): AccessRule["network"] | undefined {
  if (text === "all") return "all";
  if (text === "unix:") return "unix";
  const cidr = parseCidr(text);
  if (cidr === undefined) return use.fail(`invalid parameter "${text}"`);
  if (cidr.hasHostBits) use.warn(`low address bits of ${text} are meaningless`);
  return cidr;
}

function rule(deny: boolean): (use: Use) => AccessRule | undefined {
  return (use) => {
    const network = parseNetwork(use, use.args[0] as string);
    return network === undefined ? undefined : { order: use.order, deny, network };
  };
}

/** The directives, in these contexts. */
export function accessSlots(contexts: string) {
  const words = { in: contexts, syntax: "address | CIDR | unix: | all" };
  return {
    allow: list(rule(false), { ...words, doc: "Lets clients of a network in." }),
    deny: list(rule(true), { ...words, doc: "Keeps clients of a network out." }),
  };
}

export type AccessConf = ConfOf<ReturnType<typeof accessSlots>>;

/** The two lists are one to nginx: a scope that has either sees none of the outer ones. */
export function mergeAccess(merged: AccessConf, own: Partial<AccessConf>): AccessConf {
  if (own.allow === undefined && own.deny === undefined) return merged;
  return { allow: own.allow ?? [], deny: own.deny ?? [] };
}

const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

function applies({ network }: AccessRule, ip: IpAddress | undefined): boolean {
  if (network === "all") return true;
  if (ip === undefined) return network === "unix";
  if (network === "unix") return false;
  if (ip.length === 16 && network.address.length === 4 && sameNetwork(ip.subarray(0, 12), MAPPED_PREFIX, 96)) {
    return sameNetwork(ip.subarray(12), network.address, network.prefixLength);
  }
  return sameNetwork(ip, network.address, network.prefixLength);
}

/** Says of a client whether the first line that means it denies it; undefined when none does. The result is undefined without lines. */
export function accessCheck({ allow, deny }: AccessConf): ((client: Endpoint) => boolean | undefined) | undefined {
  const ordered = [...allow, ...deny].sort((a, b) => a.order - b.order);
  if (ordered.length === 0) return undefined;
  return (client) => {
    const ip = "ip" in client ? client.ip : undefined;
    for (let i = 0; i < ordered.length; i++) {
      const one = ordered[i] as AccessRule;
      if (applies(one, ip)) return one.deny;
    }
    return undefined;
  };
}
