/** `proxy_bind` and its like as requests use it. nginx: ngx_http_upstream_set_local. */
import type { Endpoint } from "../io/stream.ts";
import { localAddressOf as addressOf, type Bind } from "../net/upstream-socket.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";

/** The address that a request's connections come from; undefined when the system chooses. */
export function localAddressOf(
  bind: Bind | undefined,
  place: Place,
): ((request: Request) => Endpoint | undefined) | undefined {
  return addressOf<Request>(bind, {
    compile: (template) => place.compile(template),
    bindForeign: () => {
      place.worker.bindsForeign = true;
    },
    complain: ({ connection }, message) => connection.logError("error", message),
  });
}
