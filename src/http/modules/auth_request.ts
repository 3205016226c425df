/** Lets a subrequest decide who may enter: 2xx yes, 401 and 403 no. nginx: ngx_http_auth_request_module. */
import type { Use } from "../../conf/slot.ts";
import { list, raw } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { WWW_AUTHENTICATE_FIELD } from "../../wire/http1/response-head.ts";
import { emptyBody } from "../body-buffer.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { AGAIN, ERROR, OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { subrequest } from "../subrequest.ts";
import type { Setter, Text } from "../variables.ts";

/** Key of the request's notes: the subrequest that was asked. */
const ASKED = {};

interface VariableLine {
  readonly variable: string;
  readonly value: Template;
}

function parseVariable(use: Use): VariableLine | undefined {
  const [name = "", text = ""] = use.args;
  if (!name.startsWith("$") || name.length === 1) return use.fail(`invalid variable name "${name}"`);
  const value = use.template(text);
  const variable = name.slice(1).toLowerCase();
  use.define(variable);
  return value === undefined ? undefined : { variable, value };
}

const directives = {
  auth_request: raw<string, "off">("off", (use) => use.args[0] as string, {
    in: "http, server, location",
    syntax: "uri | off",
    defaultText: "off",
    doc: "Asks another location of this server whether the client may enter.",
  }),
  auth_request_set: list(parseVariable, {
    in: "http, server, location",
    args: 2,
    syntax: "$variable value",
    doc: "Sets a variable from the subrequest when it has been answered.",
  }),
};

interface Assignment {
  readonly set: Setter;
  readonly value: Text;
}

function ask(request: Request, uri: string): number {
  const asked = subrequest(request, uri, {});
  if (asked === undefined) return ERROR;
  asked.headerOnly = true;
  asked.body = emptyBody(asked);
  request.notes ??= new Map();
  request.notes.set(ASKED, asked);
  return AGAIN;
}

function judge(request: Request, asked: Request): number {
  const { status } = asked;
  if (status === 403) return 403;
  if (status === 401) {
    copyChallenges(request, asked);
    return 401;
  }
  if (status >= 200 && status < 300) return OK;
  request.connection.logError("error", `auth request unexpected status: ${status}`);
  return 500;
}

/** What the client must show, as the subrequest's answer says it, or as its upstream did. */
function copyChallenges(request: Request, asked: Request): void {
  let found = false;
  for (let i = 0; i < asked.headerCount; i++) {
    const name = asked.headerNames[i] as string;
    if (name.toLowerCase() !== "www-authenticate") continue;
    request.addHeader(name, asked.headerValues[i] as string);
    found = true;
  }
  const head = asked.exchange?.answeredHead;
  if (found || head === undefined) return;
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.field(i) === WWW_AUTHENTICATE_FIELD) request.addHeader(head.name(i), head.value(i));
  }
}

function build(uri: string, lines: readonly VariableLine[], place: Place): Handler | undefined {
  // Everybody who is asked for a value may have it set elsewhere: the setters are made in any case.
  const assignments = lines.map(
    ({ variable, value }): Assignment => ({ set: place.setter(variable), value: place.compile(value) }),
  );
  if (uri === "off" || uri === "") return undefined;
  return (request) => {
    const asked = request.notes?.get(ASKED) as Request | undefined;
    if (asked === undefined) return ask(request, uri);
    if (!asked.complete) return AGAIN;
    for (const { set, value } of assignments) set(request, value(asked));
    return judge(request, asked);
  };
}

export const authRequest = httpModule({
  name: "auth_request",
  directives,
  phases: { access: (conf, place) => build(conf.auth_request, conf.auth_request_set, place) },
});
