/** `map` in stream. nginx: ngx_stream_map_module. */
import { mapDefinitions, mapDirectives } from "../../net/map.ts";
import { streamModule } from "../module.ts";

export const map = streamModule({
  name: "stream_map",
  directives: mapDirectives("stream"),
  definitions: mapDefinitions,
});
