/** `set_real_ip_from`: the client is whom a trusted proxy names in its PROXY protocol header. nginx: ngx_stream_realip_module. */
import { parseIp, printIp } from "../../base/ip.ts";
import { list } from "../../conf/slots.ts";
import { inNetworks, parseTrusted } from "../../net/networks.ts";
import { streamModule } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import type { Variable } from "../variables.ts";

const directives = {
  set_real_ip_from: list(parseTrusted, {
    in: "stream, stream server",
    syntax: "address | CIDR | unix: | hostname",
    doc: "Names a proxy that is trusted to tell the client's address.",
  }),
};

const variables: readonly Variable[] = [
  {
    name: "realip_remote_addr",
    doc: "The other end's address, whatever client it names.",
    get: ({ stream: { remote } }) => ("ip" in remote ? printIp(remote.ip) : "unix:"),
  },
  {
    name: "realip_remote_port",
    doc: "The other end's port.",
    get: ({ stream: { remote } }) => ("port" in remote && remote.port > 0 ? String(remote.port) : ""),
  },
];

export const realip = streamModule({
  name: "stream_realip",
  directives,
  variables,
  phases: {
    postAccept(conf) {
      const trusted = conf.set_real_ip_from.flat();
      if (trusted.length === 0) return undefined;
      return (session) => {
        const source = session.proxyHeader?.ends?.source;
        if (source === undefined || !inNetworks(session.remote, trusted)) return DECLINED;
        const ip = parseIp(source.address);
        if (ip !== undefined) session.setRemote({ ip, port: source.port });
        return DECLINED;
      };
    },
  },
});
