/** `add_header`, `add_trailer`, `expires`. nginx: ngx_http_headers_filter_module. */

import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, list, raw } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { parseSec } from "../../conf/units.ts";
import { parseHttpDate, printHttpDate } from "../../wire/http1/date.ts";
import { type BodyFilter, type Chunk, LAST, type Mark, ORDER_TRAILERS } from "../body.ts";
import type { HeaderFilter } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import type { Text } from "../variables.ts";

const SAFE: Uint8Array = (() => {
  const isSafe = new Uint8Array(1000);
  for (const status of [200, 201, 204, 206, 301, 302, 303, 304, 307, 308]) isSafe[status] = 1;
  return isSafe;
})();
const DAY_S = 86400;

interface HeaderLine {
  readonly name: string;
  readonly value: Template;
  readonly always: boolean;
}

function parseHeader(use: Use): HeaderLine | undefined {
  const [name = "", text = "", last] = use.args;
  const value = use.template(text);
  if (value === undefined) return undefined;
  if (last !== undefined && last !== "always") return use.fail(`invalid parameter "${last}"`);
  return { name, value, always: last !== undefined };
}

/** `expires`: a fixed answer, or seconds from a base. */
type Expires =
  | { readonly kind: "off" | "epoch" | "max" }
  | { readonly kind: "access" | "modified" | "daily"; readonly seconds: number };

/** Reads one word of `expires`; a text is the reason why not. */
function parseExpires(word: string, modified: boolean): Expires | string {
  if (!modified && (word === "off" || word === "epoch" || word === "max")) return { kind: word };
  const daily = word.startsWith("@");
  if (daily && modified) return 'daily time cannot be used with "modified" parameter';
  const negative = word.startsWith("-");
  const seconds = parseSec(/^[@+-]/.test(word) ? word.slice(1) : word);
  if (seconds === undefined) return "invalid value";
  if (daily && seconds > DAY_S) return "daily time value must be less than 24 hours";
  return { kind: daily ? "daily" : modified ? "modified" : "access", seconds: negative ? -seconds : seconds };
}

interface ExpiresLine {
  readonly fixed: Expires | undefined;
  readonly template: Template | undefined;
  readonly modified: boolean;
}

function readExpires(use: Use): ExpiresLine | undefined {
  const modified = use.args.length === 2;
  if (modified && use.args[0] !== "modified") return use.invalid("invalid value");
  const word = use.args.at(-1) as string;
  const template = use.template(word);
  if (template === undefined) return undefined;
  if (constantOf(template) === undefined) return { fixed: undefined, template, modified };
  const fixed = parseExpires(word, modified);
  return typeof fixed === "string" ? use.invalid(fixed) : { fixed, template: undefined, modified };
}

const EVERYWHERE = "http, server, location, if in location";
const INHERIT = ["on", "off", "merge"] as const;
const directives = {
  add_header: list(parseHeader, {
    in: EVERYWHERE,
    args: [2, 3],
    syntax: "name value [always]",
    doc: "Adds a header line to answers.",
  }),
  add_trailer: list(parseHeader, {
    in: EVERYWHERE,
    args: [2, 3],
    syntax: "name value [always]",
    doc: "Adds a trailer line to answers.",
  }),
  add_header_inherit: choice("on", INHERIT, {
    in: EVERYWHERE,
    doc: "Whether the header lines of the outer level are added too: where there are no own ones, never, or always.",
  }),
  add_trailer_inherit: choice("on", INHERIT, {
    in: EVERYWHERE,
    doc: "Whether the trailer lines of the outer level are added too: where there are no own ones, never, or always.",
  }),
  expires: raw<ExpiresLine, undefined>(undefined, readExpires, {
    in: EVERYWHERE,
    args: [1, 2],
    syntax: "[modified] time | epoch | max | off",
    defaultText: "off",
    doc: "Says how long an answer may be kept.",
  }),
};

/** A line with fields of its own in a request, beside those that are only added. */
const PLAIN = 0;
const ETAG = 1;
const LAST_MODIFIED = 2;

interface Line {
  readonly name: string;
  readonly kind: number;
  /** Of one that is the same in each request. */
  readonly constant: string | undefined;
  readonly value: Text;
  readonly always: boolean;
}

function kindOf(name: string): number {
  const lowerName = name.toLowerCase();
  if (lowerName === "etag") return ETAG;
  return lowerName === "last-modified" ? LAST_MODIFIED : PLAIN;
}

function compile(lines: readonly HeaderLine[], place: Place): readonly Line[] {
  return lines.map(({ name, value, always }) => ({
    name,
    kind: kindOf(name),
    constant: constantOf(value),
    value: place.compile(value),
    always,
  }));
}

function addLine(request: Request, { name, kind, constant, value }: Line): void {
  const text = constant ?? value(request);
  if (kind === ETAG) {
    request.dropHeader(request.etagIndex);
    request.etagIndex = text === "" ? -1 : request.addHeader(name, text);
    return;
  }
  if (kind === LAST_MODIFIED) {
    request.lastModified = text === "" ? -1 : (parseHttpDate(text) ?? -1);
    request.dropHeader(request.lastModifiedIndex);
    request.lastModifiedIndex = text === "" ? -1 : request.addHeader(name, text);
    return;
  }
  if (text !== "") request.addHeader(name, text);
}

function addExpires(request: Request, expires: Expires): void {
  const pair = expiresPair(request, expires);
  if (pair === undefined) return;
  setLine(request, "Expires", pair[0]);
  setLine(request, "Cache-Control", pair[1]);
}

/** The only line of this name: those of an upstream give way. */
function setLine(request: Request, name: string, value: string): void {
  const lowerName = name.toLowerCase();
  let isSet = false;
  for (let i = 0; i < request.headerCount; i++) {
    const known = request.headerNames[i] as string;
    if (known.length !== name.length || known.toLowerCase() !== lowerName) continue;
    if (isSet) request.dropHeader(i);
    else request.headerValues[i] = value;
    isSet = true;
  }
  if (!isSet) request.addHeader(name, value);
}

/** Expires and Cache-Control, undefined for `off`. */
function expiresPair(request: Request, expires: Expires): readonly [string, string] | undefined {
  if (expires.kind === "epoch") return ["Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"];
  if (expires.kind === "max") return ["Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"];
  if (!("seconds" in expires)) return undefined;
  const { dates } = request.connection.worker;
  const now = dates.now();
  const { seconds, kind } = expires;
  if (seconds === 0 && kind !== "daily") return [dates.http(), "max-age=0"];
  let at = seconds + now;
  if (kind === "daily") at = nextTime(request, now, seconds);
  else if (kind === "modified" && request.lastModified >= 0) at = seconds + request.lastModified;
  const maxAge = kind === "access" || (kind === "modified" && request.lastModified < 0) ? seconds : at - now;
  return [printHttpDate(at), seconds < 0 || maxAge < 0 ? "no-cache" : `max-age=${maxAge}`];
}

/** The next local time of day that is so many seconds behind midnight. */
function nextTime(request: Request, now: number, seconds: number): number {
  const offset = request.connection.worker.ports.timezoneOffset(now) * 60;
  const local = now + offset;
  const midnight = local - (((local % DAY_S) + DAY_S) % DAY_S);
  const today = midnight + seconds;
  return (today > local ? today : today + DAY_S) - offset;
}

/** Notes the trailers' values when the body ends. */
class Trailers implements BodyFilter {
  readonly order = ORDER_TRAILERS;
  readonly takesPieces = false;
  private readonly lines: readonly Line[];

  constructor(lines: readonly Line[]) {
    this.lines = lines;
  }

  filter(request: Request, chunks: readonly Chunk[], mark: Mark): readonly Chunk[] {
    if (mark !== LAST) return chunks;
    request.trailers ??= [];
    const safe = SAFE[request.status] === 1;
    for (const { name, value, always } of this.lines) {
      if (!safe && !always) continue;
      const text = value(request);
      if (text !== "") request.trailers.push({ name, value: text });
    }
    return chunks;
  }
}

function build(
  conf: {
    readonly add_header: readonly HeaderLine[];
    readonly add_trailer: readonly HeaderLine[];
    readonly expires: ExpiresLine | undefined;
  },
  place: Place,
): HeaderFilter | undefined {
  const { expires } = conf;
  if (conf.add_header.length === 0 && conf.add_trailer.length === 0 && expires === undefined) return undefined;
  const headers = compile(conf.add_header, place);
  const trailers = compile(conf.add_trailer, place);
  const expiresText = expires?.template === undefined ? undefined : place.compile(expires.template);
  return (request) => {
    const safe = SAFE[request.status] === 1;
    if (expires !== undefined && safe) {
      const parsed = expiresText === undefined ? expires.fixed : parseExpires(expiresText(request), expires.modified);
      if (parsed !== undefined && typeof parsed !== "string") addExpires(request, parsed);
    }
    for (let i = 0; i < headers.length; i++) {
      const line = headers[i] as Line;
      if (safe || line.always) addLine(request, line);
    }
    if (trailers.length > 0 && trailers.some(({ always }) => safe || always)) {
      request.expectTrailers = true;
      request.addBodyFilter(new Trailers(trailers));
    }
    return OK;
  };
}

type Conf = ConfOf<typeof directives>;

/** The lines that hold in a scope, given its own and the outer ones. */
function inherited(
  how: (typeof INHERIT)[number],
  own: readonly HeaderLine[] | undefined,
  outer: readonly HeaderLine[],
): readonly HeaderLine[] {
  if (own === undefined) return how === "off" ? [] : outer;
  return how === "merge" ? [...own, ...outer] : own;
}

export const headers = httpModule({
  name: "headers",
  directives,
  merge: (merged, outer, { own }) =>
    outer === undefined
      ? merged
      : {
          ...merged,
          add_header: inherited(merged.add_header_inherit, own.add_header, outer.add_header),
          add_trailer: inherited(merged.add_trailer_inherit, own.add_trailer, outer.add_trailer),
        },
  differsInside: ({ add_header, add_header_inherit, add_trailer, add_trailer_inherit }: Conf) =>
    (add_header_inherit === "off" && add_header.length > 0) ||
    (add_trailer_inherit === "off" && add_trailer.length > 0),
  headerFilter: build,
});
