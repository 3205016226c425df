/** `allow` and `deny` by address. nginx: ngx_stream_access_module. */
import { accessCheck, accessSlots, mergeAccess } from "../../net/access-rules.ts";
import { streamModule } from "../module.ts";
import { DECLINED, FORBIDDEN, OK } from "../outcome.ts";

export const access = streamModule({
  name: "stream_access",
  directives: accessSlots("stream, stream server"),
  merge: (merged, _outer, { own }) => mergeAccess(merged, own),
  phases: {
    access(conf) {
      const isDenied = accessCheck(conf);
      if (isDenied === undefined) return undefined;
      return (session) => {
        const denied = isDenied(session.remote);
        if (denied === undefined) return DECLINED;
        if (!denied) return OK;
        session.logError("error", "access forbidden by rule");
        return FORBIDDEN;
      };
    },
  },
});
