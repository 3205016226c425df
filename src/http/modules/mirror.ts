/** Sends each request to other locations too and forgets their answers. nginx: ngx_http_mirror_module. */
import type { Use } from "../../conf/slot.ts";
import { flag, fold } from "../../conf/slots.ts";
import { type BodyTaker, emptyBody, readRequestBody } from "../body-buffer.ts";
import type { Handler } from "../location.ts";
import { httpModule } from "../module.ts";
import { AGAIN, DECLINED, RUN } from "../outcome.ts";
import type { Request } from "../request.ts";
import { subrequest } from "../subrequest.ts";

/** Key of the request's notes: "reading", "waiting" for the body, or the status of what came of it. */
const STATE = {};
type State = "reading" | "waiting" | number;

function parseMirror(use: Use, current: readonly string[] | undefined): readonly string[] | undefined {
  const uri = use.args[0] as string;
  if (uri === "off") return current === undefined ? [] : use.invalid("is duplicate");
  if (current?.length === 0) return use.invalid("is duplicate");
  return [...(current ?? []), uri];
}

const directives = {
  mirror: fold<readonly string[], readonly string[]>([], parseMirror, {
    in: "http, server, location",
    syntax: "uri | off",
    defaultText: "off",
    doc: "Sends a copy of each request to another location in the background.",
  }),
  mirror_request_body: flag(true, {
    in: "http, server, location",
    doc: "Reads the client's body first, so that copies have it too.",
  }),
};

function copy(request: Request, uris: readonly string[], withBody: boolean): number {
  for (const uri of uris) {
    const made = subrequest(request, uri, { args: request.args, background: true });
    if (made === undefined) return 500;
    made.headerOnly = true;
    made.method = request.method;
    made.changedMethod = request.methodName;
    if (!withBody && (request.contentLength > 0 || request.chunkedBody)) made.body = emptyBody(made);
  }
  return DECLINED;
}

const bodyTaker: BodyTaker = {
  onBody(request, status) {
    const isWaiting = request.notes?.get(STATE) === "waiting";
    request.notes?.set(STATE, status);
    if (isWaiting) request.connection.resume(request, status === 0 ? RUN : status);
  },
};

/** Reads the body. 0 when it is there, the status when it can't be had, or AGAIN. */
function readBody(request: Request): number {
  if (request.notes === undefined) request.notes = new Map();
  const { notes } = request;
  if (!notes.has(STATE)) {
    notes.set(STATE, "reading");
    readRequestBody(request, bodyTaker);
  }
  const state = notes.get(STATE) as State;
  if (typeof state === "number") return state;
  notes.set(STATE, "waiting");
  return AGAIN;
}

function build(uris: readonly string[], withBody: boolean): Handler | undefined {
  if (uris.length === 0) return undefined;
  return (request) => {
    if (request.parent !== undefined) return DECLINED;
    const rc = withBody ? readBody(request) : 0;
    return rc === 0 ? copy(request, uris, withBody) : rc;
  };
}

export const mirror = httpModule({
  name: "mirror",
  directives,
  phases: { precontent: (conf) => build(conf.mirror, conf.mirror_request_body) },
});
