/** `set_real_ip_from` and its kin: the client is whom a trusted proxy names. nginx: ngx_http_realip_module. */
import { printIp } from "../../base/ip.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { flag, list, raw } from "../../conf/slots.ts";
import type { Endpoint } from "../../io/stream.ts";
import { parseTrusted } from "../../net/networks.ts";
import { forwardedAddress, forwardedFor } from "../forwarded.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import type { Request } from "../request.ts";
import type { Variable } from "../variables.ts";

/** Where the client's address stands: the name of a header line in lower case. */
type RealIpHeader =
  | { readonly kind: "forwardedFor" | "proxyProtocol" }
  | { readonly kind: "line"; readonly name: string };

function parseHeader(use: Use): RealIpHeader {
  const text = use.args[0] as string;
  if (text === "X-Forwarded-For") return { kind: "forwardedFor" };
  if (text === "proxy_protocol") return { kind: "proxyProtocol" };
  return { kind: "line", name: text.toLowerCase() };
}

const directives = {
  set_real_ip_from: list(parseTrusted, {
    syntax: "address | CIDR | unix: | hostname",
    doc: "Names a proxy that is trusted to tell the client's address.",
  }),
  real_ip_header: raw<RealIpHeader, RealIpHeader>({ kind: "line", name: "x-real-ip" }, parseHeader, {
    syntax: "field | X-Real-IP | X-Forwarded-For | proxy_protocol",
    defaultText: "X-Real-IP",
    doc: "Where a trusted proxy tells the client's address.",
  }),
  real_ip_recursive: flag(false, {
    doc: "Takes the last address that is no trusted proxy, instead of the last one.",
  }),
};

/** What the header says; undefined when it isn't there. */
function valuesOf(request: Request, header: RealIpHeader): readonly string[] | undefined {
  if (header.kind === "line") {
    const { head } = request;
    const index = head.find(header.name);
    return index < 0 ? undefined : [head.value(index)];
  }
  if (header.kind === "forwardedFor") {
    const values = forwardedFor(request);
    return values.length === 0 ? undefined : values;
  }
  const source = request.connection.proxyHeader?.ends?.source;
  return source === undefined ? undefined : [source.address];
}

function build(conf: ConfOf<typeof directives>): Handler | undefined {
  const trusted = conf.set_real_ip_from.flat();
  if (trusted.length === 0) return undefined;
  const { real_ip_header: header, real_ip_recursive: recursive } = conf;
  return (request) => {
    const { connection } = request;
    // The address has been found in an earlier phase.
    if (connection.remote !== connection.stream.remote) return DECLINED;
    const values = valuesOf(request, header);
    if (values === undefined) return DECLINED;
    const found = forwardedAddress(connection.remote, values, trusted, recursive);
    if (found === undefined) return DECLINED;
    const port = header.kind === "proxyProtocol" ? connection.proxyHeader?.ends?.source.port : undefined;
    connection.setRemote(port !== undefined && "ip" in found ? { ip: found.ip, port } : found);
    return DECLINED;
  };
}

function portOf(remote: Endpoint): string {
  return "port" in remote && remote.port > 0 ? String(remote.port) : "";
}

const variables: readonly Variable[] = [
  {
    name: "realip_remote_addr",
    doc: "The other end's address, whatever client it names.",
    get: ({ connection: { stream } }) => ("ip" in stream.remote ? printIp(stream.remote.ip) : "unix:"),
  },
  {
    name: "realip_remote_port",
    doc: "The other end's port.",
    get: ({ connection: { stream } }) => portOf(stream.remote),
  },
];

export const realip = httpModule({
  name: "realip",
  contexts: "http, server, location",
  directives,
  variables,
  phases: { postRead: build, preaccess: build },
});
