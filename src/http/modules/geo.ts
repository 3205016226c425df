/** `geo` in HTTP. nginx: ngx_http_geo_module. */
import { geoDefinitions, geoDirectives } from "../../net/geo.ts";
import { forwardedAddress, forwardedFor } from "../forwarded.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";

export const geo = httpModule({
  name: "geo",
  directives: geoDirectives("http", true),
  definitions: (conf) =>
    geoDefinitions<Request>(conf, {
      clientOf: ({ connection }) => connection.remote,
      forwarded: (request, from, proxies, isRecursive) => {
        const values = forwardedFor(request);
        return values.length === 0 ? from : (forwardedAddress(from, values, proxies, isRecursive) ?? from);
      },
    }),
});
