/** `split_clients` in stream. nginx: ngx_stream_split_clients_module. */
import { splitDefinitions, splitDirectives } from "../../net/split-clients.ts";
import { streamModule } from "../module.ts";

export const splitClients = streamModule({
  name: "stream_split_clients",
  directives: splitDirectives("stream"),
  definitions: splitDefinitions,
});
