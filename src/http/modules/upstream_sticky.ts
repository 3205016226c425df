/** `sticky`: sessions that stay with their server. nginx: ngx_http_upstream_sticky_module. */
import { LearnedSessions } from "../../balance/sessions.ts";
import { SAME_SITE, type StickyCookieSettings } from "../../balance/sticky.ts";
import type { Use } from "../../conf/slot.ts";
import { raw } from "../../conf/slots.ts";
import { constantOf, type Template } from "../../conf/template.ts";
import { parseMsec, parseSec, parseSize } from "../../conf/units.ts";
import { MIN_ZONE_BYTES } from "../../conf/zones.ts";
import { httpModule, type Place } from "../module.ts";
import { Sticky } from "../sticky.ts";

/** What its zones are declared for. */
const PURPOSE = "sticky";
const SEED_BYTES = 4;
const STANDARD_TIMEOUT_MS = 600_000;

interface CookieLine {
  readonly kind: "cookie";
  readonly settings: StickyCookieSettings;
  readonly domain: Template | undefined;
  readonly sameSite: Template | undefined;
}

interface RouteLine {
  readonly kind: "route";
  /** Names of variables. */
  readonly lookups: readonly string[];
}

interface LearnLine {
  readonly kind: "learn";
  readonly lookups: readonly string[];
  readonly creates: readonly string[];
  readonly zone: string;
  readonly timeoutMs: number;
  readonly afterHeader: boolean;
}

type StickyLine = CookieLine | RouteLine | LearnLine;

function parseSticky(use: Use): StickyLine | undefined {
  switch (use.args[0]) {
    case "cookie":
      return parseCookie(use);
    case "route":
      return parseRoute(use);
    case "learn":
      return parseLearn(use);
    default:
      return use.fail(`unknown parameter "${use.args[0]}"`);
  }
}

/** The name in `$name`, which must be one that the configuration knows. */
function variable(use: Use, text: string): string | undefined {
  const parsed = use.template(text);
  if (parsed === undefined) return undefined;
  const [part] = parsed.parts;
  if (parsed.parts.length === 1 && typeof part === "object" && part.kind === "variable") return part.name;
  return use.fail(`invalid variable name "${text}"`);
}

function parseRoute(use: Use): RouteLine | undefined {
  const lookups: string[] = [];
  for (const text of use.args.slice(1)) {
    if (!text.startsWith("$")) return use.fail(`invalid variable name "${text}"`);
    const name = variable(use, text);
    if (name === undefined) return undefined;
    lookups.push(name);
  }
  return { kind: "route", lookups };
}

const COOKIE_PARAMETER = /^(domain=|path=|expires=|samesite=)(.*)$|^(httponly|secure)$/s;

function parseCookie(use: Use): CookieLine | undefined {
  const name = use.args[1] as string;
  if (name === "") return use.invalid("empty cookie name");
  const given = new Map<string, string>();
  for (const text of use.args.slice(2)) {
    const match = COOKIE_PARAMETER.exec(text);
    if (match === null) return use.fail(`unknown parameter "${text}"`);
    const word = (match[1] ?? (match[3] as string)).replace("=", "");
    const value = match[2] ?? "";
    if (given.has(word)) return use.invalid(`parameter "${word}" is duplicate`);
    if (value === "" && (word === "domain" || word === "path")) return use.invalid(`no value for "${word}"`);
    given.set(word, value);
  }
  const until = given.get("expires");
  const expires = until === undefined || until === "max" ? until : parseSec(until);
  if (until !== undefined && expires === undefined) return use.invalid('invalid "expires" parameter value');
  const template = (word: string): Template | undefined => {
    const text = given.get(word);
    return text === undefined ? undefined : use.template(text);
  };
  const sameSite = template("samesite");
  const constant = sameSite === undefined ? undefined : constantOf(sameSite);
  if (constant !== undefined && !SAME_SITE.includes(constant.toLowerCase()))
    return use.invalid('invalid "samesite" parameter value');
  return {
    kind: "cookie",
    settings: {
      name,
      expires: expires as number | "max" | undefined,
      httpOnly: given.has("httponly"),
      secure: given.has("secure"),
      path: given.get("path") ?? "",
    },
    domain: template("domain"),
    sameSite,
  };
}

/** The name in `zone=name:size`, which is declared. */
function parseZone(use: Use, text: string): string | undefined {
  const colon = text.indexOf(":");
  if (colon < 0) return use.invalid("zone size is not specified");
  if (colon === 0) return use.invalid("zone name is not specified");
  const size = parseSize(text.slice(colon + 1));
  if (size === undefined) return use.invalid("invalid zone size");
  if (size < MIN_ZONE_BYTES) return use.invalid("zone is too small");
  return use.zone(text.slice(0, colon), size, PURPOSE)?.name;
}

function parseLearn(use: Use): LearnLine | undefined {
  const lookups: string[] = [];
  const creates: string[] = [];
  let zone: string | undefined;
  let timeoutMs: number | undefined;
  let afterHeader = false;
  for (const text of use.args.slice(1)) {
    const equals = text.indexOf("=");
    const word = text.slice(0, equals + 1);
    const value = text.slice(equals + 1);
    if (word === "zone=") {
      if (zone !== undefined) return use.invalid("duplicate zone");
      zone = parseZone(use, value);
      if (zone === undefined) return undefined;
    } else if (word === "timeout=") {
      if (timeoutMs !== undefined) return use.invalid("duplicate timeout");
      timeoutMs = parseMsec(value);
      if (timeoutMs === undefined || timeoutMs === 0) return use.invalid("invalid timeout");
    } else if (word === "create=" || word === "lookup=") {
      if (!value.startsWith("$")) return use.invalid(`missing variable in the "${word.slice(0, -1)}" parameter`);
      const name = variable(use, value);
      if (name === undefined) return undefined;
      (word === "create=" ? creates : lookups).push(name);
    } else if (text === "header") afterHeader = true;
    else return use.fail(`unknown parameter "${text}"`);
  }
  if (lookups.length === 0) return use.invalid('"lookup" parameter is not specified');
  if (creates.length === 0) return use.invalid('"create" parameter is not specified');
  if (zone === undefined) return use.invalid('"zone" parameter is not specified');
  return { kind: "learn", lookups, creates, zone, timeoutMs: timeoutMs ?? STANDARD_TIMEOUT_MS, afterHeader };
}

const directives = {
  sticky: raw<StickyLine, undefined>(undefined, parseSticky, {
    in: "upstream",
    args: [2, Number.POSITIVE_INFINITY],
    inherit: "none",
    syntax:
      "cookie name [expires=time | max] [domain=domain] [httponly] [samesite=strict | lax | none | $variable] [secure] [path=path] | " +
      "route $variable ... | learn create=$variable lookup=$variable zone=name:size [timeout=time] [header]",
    doc: "Gives all requests of a session to one server.",
  }),
};

function build(line: StickyLine, place: Place): Sticky {
  const getters = (names: readonly string[]) => names.map((name) => place.getter(name));
  const { worker } = place;
  if (line.kind === "route") return new Sticky(worker, getters(line.lookups), {});
  if (line.kind === "cookie") {
    const { settings } = line;
    const text = (template: Template | undefined) => (template === undefined ? () => "" : place.compile(template));
    const cookie = { settings, domain: text(line.domain), sameSite: text(line.sameSite) };
    return new Sticky(worker, [(request) => request.cookie(settings.name)], { cookie });
  }
  const { creates, afterHeader, timeoutMs } = line;
  const seed = worker.ports.random(SEED_BYTES).reduce((sum, byte) => sum * 256 + byte, 0);
  const sessions = new LearnedSessions(worker.ports.shared.zone(line.zone), timeoutMs, seed);
  return new Sticky(worker, getters(line.lookups), {
    learned: { creates: getters(creates), afterHeader, sessions, timeoutMs },
  });
}

export const sticky = httpModule({
  name: "upstream_sticky",
  directives,
  check(_conf, { scope }, report) {
    if (scope.context !== "http") return;
    const owners = new Map<string, string>();
    for (const block of scope.children) {
      const line = block.context === "upstream" ? block.own(sticky).sticky : undefined;
      if (line?.kind !== "learn") continue;
      const owner = owners.get(line.zone);
      const [position] = block.origin(sticky, "sticky")?.positions ?? [];
      const name = block.directive?.args[0]?.text ?? "";
      if (owner === undefined) owners.set(line.zone, name);
      else report("emerg", `sticky zone "${line.zone}" is already used in upstream "${owner}"`, position);
    }
  },
  sticky: ({ sticky: line }, place) => (line === undefined ? undefined : build(line, place)),
});
