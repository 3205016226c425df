/** `ip_hash`: the client's network decides. nginx: ngx_http_upstream_ip_hash_module. */
import { IpHash } from "../../balance/ip_hash.ts";
import { fold } from "../../conf/slots.ts";
import { noKey } from "../../net/balanced-group.ts";
import { httpModule } from "../module.ts";
import { refuseMethodParameters } from "./upstream.ts";

const directives = {
  ip_hash: fold<{ readonly order: number }, undefined>(undefined, ({ order }) => ({ order }), {
    in: "upstream",
    args: 0,
    inherit: "none",
    syntax: "",
    doc: "Gives the clients of a network to one server.",
  }),
};

export const ipHash = httpModule({
  name: "upstream_ip_hash",
  directives,
  check: (conf, { scope }, report) => refuseMethodParameters(scope, conf.ip_hash?.order, report),
  balancer: ({ ip_hash: line }) =>
    line === undefined
      ? undefined
      : {
          order: line.order,
          withoutBackup: true,
          create: (group) => new IpHash(group),
          keyOf: (request) => {
            const { remote } = request.connection;
            return "ip" in remote ? remote.ip : noKey(request);
          },
        },
});
