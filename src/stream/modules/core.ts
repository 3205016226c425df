/** Directives of the stream core: blocks, listening, time limits, logs, resolvers. nginx: ngx_stream_core_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { block, blocks, flag, fold, list, msec, num, raw, size } from "../../conf/slots.ts";
import { parseErrorLog } from "../../net/error-log.ts";
import { type Listen, type ListenRules, parseListen } from "../../net/listen.ts";
import type { ResolverSettings } from "../../net/resolver.ts";
import { parseResolver } from "../../net/resolver-directive.ts";
import { parseServerName, type ServerNameWord } from "../../net/server-names.ts";
import { streamModule } from "../module.ts";

const MANY = Number.POSITIVE_INFINITY;

/** The `stream` block and what stands only there. */
export const streamMain = streamModule({
  name: "stream",
  contexts: "stream",
  directives: {
    stream: block(
      { main: "stream" },
      { doc: "Holds the configuration of the service that passes on TCP connections." },
    ),
    server: blocks({ stream: "stream server" }, () => true, { doc: "Configures a server of stream." }),
    variables_hash_max_size: num(1024, {
      min: 1,
      doc: "Accepted without effect: variables need no hash of that size.",
    }),
    server_names_hash_max_size: num(512, { doc: "Accepted without effect: tables grow as they need." }),
    server_names_hash_bucket_size: num(64, { doc: "Accepted without effect: tables grow as they need." }),
    variables_hash_bucket_size: num(64, { min: 1, doc: "Accepted without effect: tables grow as they need." }),
  },
});

/** What a `listen` of stream can say. */
const LISTEN_RULES: ListenRules = {
  usualPort: undefined,
  knowsDefault: false,
  unsupported: new Set(["udp", "ssl"]),
};

function parseListens(use: Use, current: readonly Listen[] | undefined): readonly Listen[] | undefined {
  const parsed = parseListen(use.args, LISTEN_RULES, use.environment.lookUp);
  if (typeof parsed === "string") return use.fail(parsed);
  for (const warning of parsed.warnings) use.warn(warning);
  return [...(current ?? []), ...parsed.listens];
}

/** What is only the server's own. */
export const coreServer = streamModule({
  name: "stream_server",
  contexts: "stream server",
  directives: {
    listen: fold<readonly Listen[], readonly Listen[]>([], parseListens, {
      args: [1, MANY],
      inherit: "none",
      syntax: "address:port [parameters]",
      doc: "Where the server listens: address and port, a port, a range of ports, or the path of a unix socket.",
    }),
    server_name: fold<readonly ServerNameWord[], readonly ServerNameWord[]>([], parseServerName, {
      args: [1, MANY],
      inherit: "none",
      syntax: "name ...",
      defaultText: '""',
      doc: "Names of the server: of those that share an address the one that a ClientHello names is chosen (`ssl_preread`).",
    }),
  },
  check(_conf, { scope, own }, report) {
    const { directive } = scope;
    if (scope.context !== "stream server" || own.listen !== undefined || directive === undefined) return;
    report("emerg", 'no "listen" is defined for server', directive.end);
  },
});

const directives = {
  error_log: list(parseErrorLog, {
    args: [1, MANY],
    syntax: "file [level]",
    doc: "Where messages about sessions go, and from which level on; without it where those of the main context go.",
  }),
  resolver: raw<ResolverSettings, undefined>(undefined, parseResolver, {
    args: [1, MANY],
    syntax: "address ... [valid=time] [ipv4=on|off] [ipv6=on|off]",
    doc: "Name servers that are asked for names at run time.",
  }),
  resolver_timeout: msec("30s", { doc: "Time for the answer to a name." }),
  proxy_protocol_timeout: msec("30s", { doc: "Time for the whole of a PROXY protocol header." }),
  tcp_nodelay: flag(true, { doc: "Sends what there is at once, to clients and to upstreams (TCP_NODELAY)." }),
  preread_buffer_size: size("16k", { doc: "Most bytes of a client that are looked at before it is passed on." }),
  preread_timeout: msec("30s", { doc: "Time for the bytes that are looked at before a client is passed on." }),
};

export type ServerConf = ConfOf<typeof directives>;

export const core = streamModule({ name: "stream_core", contexts: "stream, stream server", directives });
