/** `split_clients` in HTTP. nginx: ngx_http_split_clients_module. */
import { splitDefinitions, splitDirectives } from "../../net/split-clients.ts";
import { httpModule } from "../module.ts";

export const splitClients = httpModule({
  name: "split_clients",
  directives: splitDirectives("http"),
  definitions: splitDefinitions,
});
