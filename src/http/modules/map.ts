/** `map` in HTTP. nginx: ngx_http_map_module. */
import { mapDefinitions, mapDirectives } from "../../net/map.ts";
import { httpModule } from "../module.ts";

export const map = httpModule({ name: "map", directives: mapDirectives("http"), definitions: mapDefinitions });
