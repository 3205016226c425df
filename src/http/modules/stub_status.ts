/** A page with a few counters, and variables for them. nginx: ngx_http_stub_status_module. */
import { fold } from "../../conf/slots.ts";
import type { ServiceCounters } from "../../io/service.ts";
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
    doc: "Answers with counters of all workers.",
  }),
};

/** Of all workers. */
function total(request: Request): ServiceCounters {
  return request.connection.worker.ports.counters.total();
}

function serve(request: Request): number {
  if (request.method !== GET && request.method !== HEAD) return 405;
  if (!discardBody(request)) return 400;
  const { active, accepted, handled, requests, reading, writing, waiting } = total(request);
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
    { name: "connections_active", doc: "Connections with clients.", get: (r) => String(total(r).active) },
    {
      name: "connections_reading",
      doc: "Connections whose request is being read.",
      get: (r) => String(total(r).reading),
    },
    { name: "connections_writing", doc: "Connections that are being answered.", get: (r) => String(total(r).writing) },
    { name: "connections_waiting", doc: "Idle connections.", get: (r) => String(total(r).waiting) },
  ],
  contentHandler: (conf) => (conf.stub_status ? serve : undefined),
});
