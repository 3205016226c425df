/** `allow` and `deny` by address. nginx: ngx_http_access_module. */
import { type IpAddress, sameNetwork } from "../../base/ip.ts";
import type { Use } from "../../conf/slot.ts";
import { list } from "../../conf/slots.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import { type Network, parseCidr } from "../networks.ts";
import { DECLINED, OK } from "../outcome.ts";
import type { Request } from "../request.ts";

interface Rule {
  readonly order: number;
  readonly deny: boolean;
  readonly network: "all" | Network;
}

function parseNetwork(use: Use, text: string): Rule["network"] | undefined {
  if (text === "all") return "all";
  if (text === "unix:") return "unix";
  const cidr = parseCidr(text);
  if (cidr === undefined) return use.fail(`invalid parameter "${text}"`);
  if (cidr.hasHostBits) use.warn(`low address bits of ${text} are meaningless`);
  return cidr;
}

function rule(deny: boolean): (use: Use) => Rule | undefined {
  return (use) => {
    const network = parseNetwork(use, use.args[0] as string);
    return network === undefined ? undefined : { order: use.order, deny, network };
  };
}

const directives = {
  allow: list(rule(false), {
    in: "http, server, location, limit_except",
    syntax: "address | CIDR | unix: | all",
    doc: "Lets clients of a network in.",
  }),
  deny: list(rule(true), {
    in: "http, server, location, limit_except",
    syntax: "address | CIDR | unix: | all",
    doc: "Keeps clients of a network out.",
  }),
};

const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

function applies({ network }: Rule, ip: IpAddress | undefined): boolean {
  if (network === "all") return true;
  if (ip === undefined) return network === "unix";
  if (network === "unix") return false;
  if (ip.length === 16 && network.address.length === 4 && sameNetwork(ip.subarray(0, 12), MAPPED_PREFIX, 96)) {
    return sameNetwork(ip.subarray(12), network.address, network.prefixLength);
  }
  return sameNetwork(ip, network.address, network.prefixLength);
}

function build(rules: readonly Rule[]): Handler | undefined {
  if (rules.length === 0) return undefined;
  const ordered = [...rules].sort((a, b) => a.order - b.order);
  return (request: Request) => {
    const { remote } = request.connection;
    const ip = "ip" in remote ? remote.ip : undefined;
    for (const one of ordered) {
      if (!applies(one, ip)) continue;
      if (!one.deny) return OK;
      if (request.location.core.satisfy === "all") request.connection.logError("error", "access forbidden by rule");
      return 403;
    }
    return DECLINED;
  };
}

export const access = httpModule({
  name: "access",
  directives,
  // The two lists are one to nginx: a scope that has either sees none of the outer ones.
  merge: (merged, _outer, { own }) => {
    if (own.allow === undefined && own.deny === undefined) return merged;
    return { allow: own.allow ?? [], deny: own.deny ?? [] };
  },
  phases: { access: (conf) => build([...conf.allow, ...conf.deny]) },
});
