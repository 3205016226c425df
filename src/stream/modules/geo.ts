/** `geo` in stream. nginx: ngx_stream_geo_module. */
import { geoDefinitions, geoDirectives } from "../../net/geo.ts";
import { streamModule } from "../module.ts";
import type { Session } from "../session.ts";

export const geo = streamModule({
  name: "stream_geo",
  directives: geoDirectives("stream", false),
  definitions: (conf) => geoDefinitions<Session>(conf, { clientOf: ({ remote }) => remote }),
});
