/** A page with a few counters, and variables for them. nginx: ngx_http_stub_status_module. */
import { fold } from "../../conf/slots.ts";
import { GET, HEAD } from "../../wire/http1/methods.ts";
import { textChunk } from "../body.ts";
import { answer, discardBody } from "../engine.ts";
import { httpModule } from "../module.ts";
import type { Request } from "../request.ts";

const directives = {
  stub_status: fold<boolean, boolean>(false, () => true, {
    in: "server, location",
    inherit: "conditions",
    args: [0, 1],
    syntax: "",
    doc: "Answers with counters of this worker.",
  }),
};

function serve(request: Request): number {
  if (request.method !== GET && request.method !== HEAD) return 405;
  if (!discardBody(request)) return 400;
  const { active, accepted, handled, requests, reading, writing, waiting } = request.connection.worker.counters();
  const text =
    `Active connections: ${active} \nserver accepts handled requests\n ${accepted} ${handled} ${requests} \n` +
    `Reading: ${reading} Writing: ${writing} Waiting: ${waiting} \n`;
  request.contentType = "text/plain";
  request.status = 200;
  request.answerLength = text.length;
  return answer(request, textChunk(text));
}

export const stubStatus = httpModule({
  name: "stub_status",
  directives,
  variables: [
    { name: "connections_active", get: (r) => String(r.connection.worker.counters().active) },
    { name: "connections_reading", get: (r) => String(r.connection.worker.counters().reading) },
    { name: "connections_writing", get: (r) => String(r.connection.worker.counters().writing) },
    { name: "connections_waiting", get: (r) => String(r.connection.worker.counters().waiting) },
  ],
  contentHandler: (conf) => (conf.stub_status ? serve : undefined),
});
