/** `allow` and `deny` by address. nginx: ngx_http_access_module. */
import { type AccessConf, accessCheck, accessSlots, mergeAccess } from "../../net/access-rules.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import { DECLINED, OK } from "../outcome.ts";

function build(conf: AccessConf): Handler | undefined {
  const isDenied = accessCheck(conf);
  if (isDenied === undefined) return undefined;
  return (request) => {
    const denied = isDenied(request.connection.remote);
    if (denied === undefined) return DECLINED;
    if (!denied) return OK;
    if (request.location.core.satisfy === "all") request.connection.logError("error", "access forbidden by rule");
    return 403;
  };
}

export const access = httpModule({
  name: "access",
  directives: accessSlots("http, server, location, limit_except"),
  merge: (merged, _outer, { own }) => mergeAccess(merged, own),
  phases: { access: build },
});
