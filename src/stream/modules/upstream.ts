/** `upstream` blocks of stream and the variables about what became of them. nginx: ngx_stream_upstream_module. */
import type { Scope } from "../../conf/scope.ts";
import type { Report, Use } from "../../conf/slot.ts";
import { blocks, list, msec, raw } from "../../conf/slots.ts";
import type { ResolverSettings } from "../../net/resolver.ts";
import { parseResolver } from "../../net/resolver-directive.ts";
import { checkServers, parseServer, refuseParameters, warnRedefined } from "../../net/upstream-servers.ts";
import type { Try } from "../../net/upstream-try.ts";
import { seconds } from "../core-variables.ts";
import { streamModule } from "../module.ts";
import type { Getter, Variable } from "../variables.ts";
import { core } from "./core.ts";
import { upstreamZone } from "./upstream_zone.ts";

const directives = {
  upstream: blocks({ stream: "stream upstream" }, (use: Use) => use.args[0], {
    args: 1,
    syntax: "name",
    doc: "A group of servers that sessions are balanced over.",
  }),
  server: list(parseServer, {
    in: "stream upstream",
    args: [1, Number.POSITIVE_INFINITY],
    inherit: "none",
    syntax: "address [parameters]",
    doc: "A server of the group, and what is special about it.",
  }),
  resolver: raw<ResolverSettings, undefined>(undefined, parseResolver, {
    in: "stream upstream",
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "address ... [valid=time] [ipv4=on|off] [ipv6=on|off]",
    doc: "Name servers that are asked for the names of its servers; without it those of the stream block.",
  }),
  resolver_timeout: msec(undefined, { in: "stream upstream", doc: "Time for the answer to a name." }),
};

function each(value: (one: Try) => string): Getter {
  return ({ proxying }) => proxying?.tries.print(value);
}

function time(ms: number): string {
  return ms < 0 ? "-" : seconds(ms);
}

const variables: readonly Variable[] = [
  { name: "upstream_addr", doc: "Addresses of the peers that were tried.", get: each((one) => one.peer) },
  { name: "upstream_bytes_sent", doc: "Bytes sent to each.", get: each((one) => String(one.sentBytes)) },
  { name: "upstream_bytes_received", doc: "Bytes received from each.", get: each((one) => String(one.receivedBytes)) },
  { name: "upstream_connect_time", doc: "Seconds until each was connected.", get: each((one) => time(one.connectMs)) },
  {
    name: "upstream_first_byte_time",
    doc: "Seconds until the first byte of each had come.",
    get: each((one) => time(one.headerMs)),
  },
  { name: "upstream_session_time", doc: "Seconds that each was used.", get: each((one) => time(one.responseMs)) },
];

/** For balancing methods without backup servers. */
export function refuseMethodParameters(scope: Scope, order: number | undefined, report: Report): void {
  refuseParameters(scope.conf(upstream).server, scope.origin(upstream, "server")?.positions, order, report);
}

function checkBlock(name: string, block: Scope, report: Report): void {
  const { server: servers, resolver } = block.conf(upstream);
  const found = {
    name,
    servers,
    hasZone: block.conf(upstreamZone).zone !== undefined,
    hasResolver: (resolver ?? block.parent?.conf(core).resolver) !== undefined,
    hasState: false,
  };
  checkServers(block, found, report);
}

export const upstream = streamModule({
  name: "stream_upstream",
  directives,
  variables,
  check(_conf, { scope, own }, report) {
    if (scope.context === "stream upstream") warnRedefined(scope.directive?.block?.directives ?? [], false, report);
    const seen = new Set<string>();
    for (const { header, scope: block } of scope.context === "stream" ? (own.upstream ?? []) : []) {
      const name = header.toLowerCase();
      if (seen.has(name)) report("emerg", `duplicate upstream "${header}"`, block.directive?.end);
      seen.add(name);
      if (block.own(upstream).server === undefined)
        report("emerg", "no servers are inside upstream", block.directive?.block?.end);
      else checkBlock(header, block, report);
    }
  },
});
