/**
 * `return`, `rewrite`, `set`, `if`, `break`: a small program per server and per location, run in the order of the file.
 * nginx: ngx_http_rewrite_module and ngx_http_script.c.
 */
import { fromLatin1 } from "../../base/bytes.ts";
import { parsePattern } from "../../conf/pattern.ts";
import type { Pattern } from "../../conf/pcre.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { blocks, flag, list } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { escapeUri, unescapeRedirect } from "../../wire/http1/uri.ts";
import { bytesChunk } from "../body.ts";
import { answer, discardBody, enterLocation, sendText } from "../engine.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import type { Request } from "../request.ts";
import { linkCheckOf } from "../symlinks.ts";
import type { Getter, Matcher, Text } from "../variables.ts";
import { setContentType } from "./static.ts";

const PLACES = "server, location, if in server, if in location";
/** nginx: NGX_HTTP_SCRIPT_STACK… a program this long is no configuration. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

interface Ordered {
  readonly order: number;
}

interface ReturnLine extends Ordered {
  readonly status: number;
  readonly text: Template | undefined;
}

interface RewriteLine extends Ordered {
  readonly pattern: Pattern;
  readonly source: string;
  readonly replacement: Template;
  readonly flag: "none" | "last" | "break" | "redirect" | "permanent";
  readonly dropArgs: boolean;
}

interface SetLine extends Ordered {
  readonly variable: string;
  readonly value: Template;
}

type Condition =
  | { readonly kind: "value"; readonly value: Template }
  | { readonly kind: "equal"; readonly value: Template; readonly other: Template; readonly negated: boolean }
  | { readonly kind: "match"; readonly value: Template; readonly pattern: Pattern; readonly negated: boolean }
  | { readonly kind: "file"; readonly path: Template; readonly test: "f" | "d" | "e" | "x"; readonly negated: boolean };

const ABSOLUTE = /^(https?:\/\/|\$scheme)/;

function parseReturn(use: Use): ReturnLine | undefined {
  const [first = "", second] = use.args;
  const { order } = use;
  if (/^\d+$/.test(first)) {
    const status = Number(first);
    if (status > 999) return use.fail(`invalid return code "${first}"`);
    if (second === undefined) return { order, status, text: undefined };
    const text = use.template(second);
    return text === undefined ? undefined : { order, status, text };
  }
  if (second !== undefined || !ABSOLUTE.test(first)) return use.fail(`invalid return code "${first}"`);
  const text = use.template(first);
  return text === undefined ? undefined : { order, status: 302, text };
}

function parseRewrite(use: Use): RewriteLine | undefined {
  const [source = "", target = "", word] = use.args;
  if (target === "") return use.fail("empty replacement");
  let kind: RewriteLine["flag"] = ABSOLUTE.test(target) ? "redirect" : "none";
  if (word !== undefined) {
    if (word !== "last" && word !== "break" && word !== "redirect" && word !== "permanent")
      return use.fail(`invalid parameter "${word}"`);
    kind = (word === "last" || word === "break") && kind === "redirect" ? kind : word;
  }
  const pattern = parsePattern(use, source, false);
  const dropArgs = target.endsWith("?");
  const replacement = use.template(dropArgs ? target.slice(0, -1) : target);
  if (pattern === undefined || replacement === undefined) return undefined;
  return { order: use.order, pattern, source, replacement, flag: kind, dropArgs };
}

function parseSet(use: Use): SetLine | undefined {
  const [name = "", text = ""] = use.args;
  if (!name.startsWith("$") || name.length === 1) return use.fail(`invalid variable name "${name}"`);
  const value = use.template(text);
  const variable = name.slice(1).toLowerCase();
  use.define(variable);
  return value === undefined ? undefined : { order: use.order, variable, value };
}

function parseCondition(use: Use): Condition | undefined {
  const words = [...use.args];
  const first = words[0] as string;
  if (!first.startsWith("(")) return use.fail(`invalid condition "${first}"`);
  if (first.length > 1) words[0] = first.slice(1);
  const last = words.at(-1) as string;
  if (!last.endsWith(")")) return use.fail(`invalid condition "${last}"`);
  if (first.length === 1) words.shift();
  words[words.length - 1] = (words.at(-1) as string).slice(0, -1);
  if (words.at(-1) === "") words.pop();
  const [subject = ")", operator, object] = words; // of "()" nginx keeps the second one
  if (/^!?-/.test(subject)) return parseFileCondition(use, words);
  if (!subject.startsWith("$") || subject.length < 2 || (words.length !== 1 && words.length !== 3)) {
    return use.fail(`invalid condition "${subject}"`);
  }
  const value = use.template(subject);
  if (value === undefined) return undefined;
  if (operator === undefined || object === undefined) return { kind: "value", value };
  if (operator === "=" || operator === "!=") {
    const other = use.template(object);
    return other === undefined ? undefined : { kind: "equal", value, other, negated: operator === "!=" };
  }
  if (!/^!?~\*?$/.test(operator)) return use.fail(`unexpected "${operator}" in condition`);
  const pattern = parsePattern(use, object, operator.endsWith("*"));
  return pattern === undefined ? undefined : { kind: "match", value, pattern, negated: operator.startsWith("!") };
}

function parseFileCondition(use: Use, words: readonly string[]): Condition | undefined {
  const [operator = "", object] = words;
  const match = /^(!?)-([fdex])$/.exec(operator);
  if (match === null || object === undefined || words.length !== 2) return use.fail(`invalid condition "${operator}"`);
  const path = use.template(object);
  if (path === undefined) return undefined;
  return { kind: "file", path, test: match[2] as "f" | "d" | "e" | "x", negated: match[1] === "!" };
}

const directives = {
  return: list(parseReturn, {
    in: PLACES,
    inherit: "none",
    args: [1, 2],
    syntax: "code [text] | URL",
    doc: "Ends the request with a status, a text or a redirect.",
  }),
  rewrite: list(parseRewrite, {
    in: PLACES,
    inherit: "none",
    args: [2, 3],
    syntax: "regex replacement [last | break | redirect | permanent]",
    doc: "Changes the URI.",
  }),
  set: list(parseSet, {
    in: PLACES,
    inherit: "none",
    args: 2,
    syntax: "$variable value",
    doc: "Gives a variable a value.",
  }),
  break: list((use): Ordered => ({ order: use.order }), {
    in: PLACES,
    inherit: "none",
    args: 0,
    syntax: "",
    doc: "Ends the program of this location.",
  }),
  if: blocks({ server: "if in server", location: "if in location" }, parseCondition, {
    args: [1, Number.POSITIVE_INFINITY],
    syntax: "(condition)",
    doc: "Directives for requests that fulfil the condition.",
  }),
  rewrite_log: flag(false, { in: `http, ${PLACES}`, doc: "Logs rewriting at the level notice." }),
  uninitialized_variable_warn: flag(true, { in: `http, ${PLACES}`, doc: "Warns of variables that were never set." }),
};
type Conf = ConfOf<typeof directives>;

/** One step; `GO_ON` or the outcome that ends the program. */
type Step = (request: Request) => number;
const GO_ON = -100;

/** The steps of a scope in the order of the file. */
function compileSteps(conf: Partial<Conf>, place: Place): readonly Step[] {
  const steps: { readonly order: number; readonly step: Step }[] = [];
  for (const line of conf.return ?? []) steps.push({ order: line.order, step: compileReturn(line, place) });
  for (const line of conf.rewrite ?? []) steps.push({ order: line.order, step: compileRewrite(line, place) });
  for (const line of conf.set ?? []) steps.push({ order: line.order, step: compileSet(line, place) });
  for (const line of conf.break ?? []) steps.push({ order: line.order, step: breakStep });
  for (const { header, scope, order } of conf.if ?? []) {
    const inner = compileSteps(scope.own(rewrite), { ...place, scope });
    const location = scope.context === "if in location" ? place.conditional(scope) : undefined;
    const holds = compileCondition(header, place);
    steps.push({
      order,
      step: (request) => {
        if (!holds(request)) return GO_ON;
        if (location !== undefined) {
          request.location = location;
          enterLocation(request);
        }
        return run(inner, request);
      },
    });
  }
  return steps.sort((a, b) => a.order - b.order).map(({ step }) => step);
}

function run(steps: readonly Step[], request: Request): number {
  for (let i = 0; i < steps.length; i++) {
    const rc = (steps[i] as Step)(request);
    if (rc !== GO_ON) return rc;
  }
  return GO_ON;
}

function breakStep(request: Request): number {
  if (request.uriChanged) {
    request.validLocation = false;
    request.uriChanged = false;
  }
  return DECLINED;
}

function compileReturn({ status, text }: ReturnLine, place: Place): Step {
  const constant = text === undefined ? "" : constantOf(text);
  if (constant === "" && status >= 400) return () => status;
  const make: Text = text === undefined ? () => "" : place.compile(text);
  if (REDIRECTS.has(status)) {
    return (request) => {
      if (!discardBody(request)) return 400;
      request.status = status;
      request.setRedirect(make(request));
      return status;
    };
  }
  if (constant !== undefined) {
    const bytes = fromLatin1(constant);
    const chunk = constant === "" ? undefined : bytesChunk(bytes);
    // The usual health check and the bench: nothing is made for a request here.
    return (request) => {
      if (!discardBody(request)) return 400;
      request.status = status;
      request.answerLength = bytes.length;
      setContentType(request);
      return answer(request, chunk);
    };
  }
  return (request) => {
    if (!discardBody(request)) return 400;
    request.status = status;
    const body = fromLatin1(make(request));
    setContentType(request);
    return sendText(request, status, body, request.contentType);
  };
}

function compileSet({ variable, value }: SetLine, place: Place): Step {
  const set = place.setter(variable);
  place.declareSet(variable);
  const constant = constantOf(value);
  const make = constant === undefined ? compileText(value, place, escapedCapture) : () => constant;
  return (request) => {
    set(request, make(request));
    return GO_ON;
  };
}

function plainCapture(request: Request, index: number): string {
  return request.captures?.[index] ?? "";
}

/** Captures of a URI that was decoded are escaped where they become part of a redirect or of arguments. */
function escapedCapture(request: Request, index: number): string {
  const text = plainCapture(request, index);
  return request.head.quotedUri || request.uri.includes("+") ? escapeUri(text, "args") : text;
}

type CaptureText = (request: Request, index: number) => string;

function compileText({ parts }: Pick<Template, "parts">, place: Place, capture: CaptureText): Text {
  const compiled = parts.map((part): string | Getter => {
    if (typeof part === "string") return part;
    if (part.kind === "capture") return (request) => capture(request, part.index);
    return place.getter(part.name);
  });
  return (request) => {
    let text = "";
    for (const part of compiled) text += typeof part === "string" ? part : (part(request) ?? "");
    return text;
  };
}

/** A replacement: the path, and what follows its first literal `?`. */
function splitReplacement({ parts }: Template): {
  readonly path: Template["parts"];
  readonly args: Template["parts"] | undefined;
} {
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (typeof part !== "string") continue;
    const question = part.indexOf("?");
    if (question < 0) continue;
    return {
      path: [...parts.slice(0, i), part.slice(0, question)],
      args: [part.slice(question + 1), ...parts.slice(i + 1)],
    };
  }
  return { path: parts, args: undefined };
}

function compileRewrite(line: RewriteLine, place: Place): Step {
  const matches = place.matcher(line.pattern.regexp, line.pattern.names);
  const isLogged = place.scope.conf(rewrite).rewrite_log;
  const test: Matcher = isLogged
    ? (request, text) => {
        const found = matches(request, text);
        const verb = found ? "matches" : "does not match";
        request.connection.logError("notice", `"${line.source}" ${verb} "${text}"`);
        return found;
      }
    : matches;
  const perform =
    line.flag === "redirect" || line.flag === "permanent"
      ? compileRedirect(line, place)
      : compileInternal(line, place, isLogged);
  return (request) => {
    if (!test(request, request.uri)) {
      request.captures = undefined;
      return GO_ON;
    }
    return perform(request);
  };
}

function compileRedirect({ replacement, dropArgs, flag: kind }: RewriteLine, place: Place): Step {
  const make = compileText(replacement, place, escapedCapture);
  const hasArgs = splitReplacement(replacement).args !== undefined;
  return (request) => {
    let target = unescapeRedirect(make(request));
    if (!dropArgs && request.args !== "") target += `${hasArgs ? "&" : "?"}${request.args}`;
    request.internal = true;
    request.validUnparsedUri = false;
    request.setRedirect(target);
    return kind === "permanent" ? 301 : 302;
  };
}

function compileInternal({ replacement, dropArgs, flag: kind }: RewriteLine, place: Place, isLogged: boolean): Step {
  const { path, args } = splitReplacement(replacement);
  const makePath = compileText({ parts: path }, place, plainCapture);
  const makeArgs = args === undefined ? undefined : compileText({ parts: args }, place, escapedCapture);
  return (request) => {
    const uri = makePath(request);
    if (makeArgs !== undefined) {
      const own = makeArgs(request);
      request.args = !dropArgs && request.args !== "" ? `${own}&${request.args}` : own;
    } else if (dropArgs) request.args = "";
    if (isLogged) request.connection.logError("notice", `rewritten data: "${uri}", args: "${request.args}"`);
    if (uri === "") {
      request.connection.logError("error", "the rewritten URI has a zero length");
      return 500;
    }
    request.internal = true;
    request.validUnparsedUri = false;
    if (kind === "break") {
      request.validLocation = false;
      request.uriChanged = false;
    } else request.uriChanged = true;
    request.uri = uri;
    return kind === "none" ? GO_ON : DECLINED;
  };
}

function compileCondition(condition: Condition, place: Place): (request: Request) => boolean {
  switch (condition.kind) {
    case "value": {
      const make = place.compile(condition.value);
      return (request) => {
        const value = make(request);
        return value !== "" && value !== "0";
      };
    }
    case "equal": {
      const make = place.compile(condition.value);
      const other = place.compile(condition.other);
      return (request) => (make(request) === other(request)) !== condition.negated;
    }
    case "match": {
      const make = place.compile(condition.value);
      const matches = place.matcher(condition.pattern.regexp, condition.pattern.names);
      return (request) => {
        const found = matches(request, make(request));
        if (!found) request.captures = undefined;
        return found !== condition.negated;
      };
    }
    case "file": {
      const path = place.compile(condition.path);
      return (request) => testFile(request, path(request), condition.test) !== condition.negated;
    }
  }
}

const ENOENT = 2;
const ENOTDIR = 20;
const ENAMETOOLONG = 36;

function testFile(request: Request, path: string, test: "f" | "d" | "e" | "x"): boolean {
  const { files } = request.connection.worker;
  const file = files.test(path, request.location.fileCache, linkCheckOf(request, path));
  if (request.location.fileCache !== undefined) files.release(file);
  if (file.errno !== 0) {
    if (file.errno !== ENOENT && file.errno !== ENOTDIR && file.errno !== ENAMETOOLONG) {
      request.connection.logError("crit", `${file.failedCall} "${path}" failed`, file.errno);
    }
    return false;
  }
  if (test === "f") return file.isFile;
  if (test === "d") return file.isDirectory;
  return test === "e" ? true : file.isExecutable;
}

function build(place: Place, context: "server" | "location"): Handler | undefined {
  if (place.scope.context !== context) return undefined;
  const steps = compileSteps(place.scope.own(rewrite), place);
  const [only] = steps;
  if (only === undefined) return undefined;
  const end = (rc: number): number => (rc === GO_ON ? DECLINED : rc);
  if (steps.length === 1) return (request) => end(only(request));
  return (request) => end(run(steps, request));
}

export const rewrite = httpModule({
  name: "rewrite",
  directives,
  phases: {
    serverRewrite: (_, place) => build(place, "server"),
    rewrite: (_, place) => build(place, "location"),
  },
});
