/** Cookies that tell clients apart. nginx: ngx_http_userid_filter_module. */

import { cookieDate } from "../../balance/sticky.ts";
import { decodeBase64, encodeBase64 } from "../../base/base64.ts";
import type { Bytes } from "../../base/bytes.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, fold, num, raw, text } from "../../conf/slots.ts";
import { parseSec } from "../../conf/units.ts";
import type { HeaderFilter } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { isUserId, type Origin, printUserId } from "../user-ids.ts";
import type { Getter } from "../variables.ts";

/** Seconds, or until the end of 2037. */
type Expires = number | "max";

function parseExpires(use: Use): Expires | undefined {
  const word = use.args[0] as string;
  if (word === "max") return "max";
  return word === "off" ? 0 : (parseSec(word) ?? use.invalid("invalid value"));
}

function parseMark(use: Use): string | undefined {
  const word = use.args[0] as string;
  if (word === "off") return "";
  return /^[0-9A-Za-z=]$/.test(word) ? word : use.invalid('value must be "off" or a single letter, digit or "="');
}

const FLAGS: readonly string[] = ["off", "secure", "httponly", "samesite=strict", "samesite=lax", "samesite=none"];

const isSameSite = (flag: string): boolean => flag.startsWith("samesite=");

/** Of several `samesite=` the first one holds. */
function parseFlags(use: Use, current: readonly string[] = []): readonly string[] | undefined {
  const flags = [...current];
  for (const word of use.args) {
    const flag = word.toLowerCase();
    if (!FLAGS.includes(flag)) return use.fail(`invalid value "${word}"`);
    const isSet = flags.some((one) => one === flag || (isSameSite(one) && isSameSite(flag)));
    if (isSet) use.warn(`duplicate value "${word}"`);
    else flags.push(flag);
  }
  return flags;
}

const directives = {
  userid: choice("off", ["off", "log", "v1", "on"], {
    doc: "Gives clients a cookie with a number (`v1`: of the older kind), or only reads it for the log.",
  }),
  userid_service: num(undefined, {
    doc: "Number of the server in the cookie; without it the address that it is asked at.",
  }),
  userid_name: text("uid", { doc: "Name of the cookie." }),
  userid_domain: text("none", { doc: "Domain that the cookie is for; `none` names none." }),
  userid_path: text("/", { doc: "Path that the cookie is for." }),
  userid_expires: raw<Expires, Expires>(0, parseExpires, {
    syntax: "time | max | off",
    defaultText: "off",
    doc: "How long the browser keeps the cookie; `off`: until it is closed.",
  }),
  userid_flags: fold<readonly string[], readonly string[]>(["off"], parseFlags, {
    args: [1, 3],
    syntax: "off | flag ...",
    defaultText: "off",
    doc: "Attributes of the cookie: secure, httponly, samesite=strict, samesite=lax, samesite=none.",
  }),
  userid_p3p: text("none", { doc: "The P3P line that goes with the cookie; `none` for none." }),
  userid_mark: raw<string, string>("", parseMark, {
    syntax: "letter | digit | = | off",
    defaultText: "off",
    doc: "The cookie's last but one character; a cookie without it is sent again.",
  }),
};
type Conf = ConfOf<typeof directives>;

/** A location's settings with what they need of variables. */
interface Rules {
  readonly conf: Conf;
  /** $uid_reset */
  readonly reset: Getter;
}

/** Key of a request's notes: what is known of its user. */
const USER = {};

/** What a request knows of its user. */
interface User {
  /** The cookie's value, "" without. */
  readonly cookie: string;
  /** What the client has sent, and what it is given: all zero when there is none. */
  readonly got: Bytes;
  set: Bytes;
  isReset: boolean;
}

const NOBODY: Bytes = new Uint8Array(16);
/** Characters of a number in base64. A mark may stand behind them, and many a cookie has garbage there. */
const DIGITS = 22;

/** The rules that hold for the client's own request; undefined when it has none. */
function rulesOf(request: Request): Rules | undefined {
  return request.main.location.prepared.get(userid) as Rules | undefined;
}

function userOf(request: Request, name: string): User {
  request.notes ??= new Map();
  let user = request.notes.get(USER) as User | undefined;
  if (user === undefined) {
    user = readUser(request, name);
    request.notes.set(USER, user);
  }
  return user;
}

function readUser(request: Request, name: string): User {
  const cookie = request.cookie(name) ?? "";
  const user = { cookie, got: NOBODY, set: NOBODY, isReset: false };
  const line = request.cookieLine(name);
  if (line === undefined) return user;
  if (cookie.length < DIGITS) {
    request.connection.logError("error", `client sent too short userid cookie "${line}"`);
    return user;
  }
  const decoded = decodeBase64(cookie.slice(0, DIGITS));
  if (decoded === undefined) {
    request.connection.logError("error", `client sent invalid userid cookie "${line}"`);
    return user;
  }
  const got = new Uint8Array(16);
  got.set(decoded);
  return { ...user, got };
}

/** The number that the client is given: a new one, or its own once more with the mark. None when its cookie will do. */
function give(request: Request, user: User, { conf, reset }: Rules): void {
  if (isUserId(user.set)) return;
  if (isUserId(user.got)) {
    const value = reset(request) ?? "";
    if (value === "" || value === "0") {
      if (conf.userid_mark !== "" && user.cookie.slice(DIGITS, DIGITS + 2) !== `${conf.userid_mark}=`)
        user.set = user.got;
      return;
    }
    user.isReset = true;
    if (value === "log") {
      const what = `userid cookie "${conf.userid_name}=${printUserId(user.got)}" was reset`;
      request.connection.logError("notice", what);
    }
  }
  const { userIds, dates } = request.connection.worker;
  const nowS = dates.now();
  user.set =
    conf.userid === "v1"
      ? userIds.makeOld(conf.userid_service ?? 0, nowS)
      : userIds.make(conf.userid_service ?? originOf(request), nowS);
}

function originOf({ connection }: Request): Origin {
  const { local } = connection.stream;
  return "ip" in local ? local.ip : 0;
}

function printCookie(request: Request, user: User, conf: Conf): string {
  const { userid_mark: mark, userid_expires: expires, userid_flags: flags, userid_domain: domain } = conf;
  const isNew = !isUserId(user.got) || user.isReset;
  const digits = isNew ? encodeBase64(user.set).slice(0, DIGITS) : user.cookie.slice(0, DIGITS);
  let cookie = `${conf.userid_name}=${digits}${mark === "" ? "=" : mark}=`;
  if (expires === "max") cookie += "; expires=Thu, 31-Dec-37 23:55:55 GMT";
  else if (expires > 0) cookie += `; expires=${cookieDate(request.connection.worker.dates.now() + expires)}`;
  if (domain !== "none") cookie += `; domain=${domain}`;
  cookie += `; path=${conf.userid_path}`;
  for (const flag of FLAGS) if (flag !== "off" && flags.includes(flag)) cookie += `; ${flag}`;
  return cookie;
}

function filter(rules: Rules): HeaderFilter {
  const { conf } = rules;
  return (request) => {
    const user = userOf(request, conf.userid_name);
    give(request, user, rules);
    if (!isUserId(user.set)) return OK;
    request.addHeader("Set-Cookie", printCookie(request, user, conf));
    if (conf.userid_p3p !== "none" && conf.userid_p3p !== "") request.addHeader("P3P", conf.userid_p3p);
    return OK;
  };
}

function got(request: Request): string | undefined {
  const rules = rulesOf(request);
  if (rules === undefined) return undefined;
  const name = rules.conf.userid_name;
  const { got: id } = userOf(request.main, name);
  return isUserId(id) ? `${name}=${printUserId(id)}` : undefined;
}

function given(request: Request): string | undefined {
  const rules = rulesOf(request);
  if (rules === undefined || rules.conf.userid === "log") return undefined;
  const name = rules.conf.userid_name;
  const user = userOf(request.main, name);
  give(request.main, user, rules);
  return isUserId(user.set) ? `${name}=${printUserId(user.set)}` : undefined;
}

function prepare(conf: Conf, place: Place): Rules | undefined {
  return conf.userid === "off" ? undefined : { conf, reset: place.getter("uid_reset") };
}

export const userid = httpModule({
  name: "userid",
  contexts: "http, server, location",
  directives,
  variables: [
    { name: "uid_got", doc: "Name and number of the cookie that the client has sent.", isKept: true, get: got },
    { name: "uid_set", doc: "Name and number of the cookie that the client is given.", isKept: true, get: given },
    {
      name: "uid_reset",
      doc: "Set to something other than 0, gives the client a new number; `log` says so in the error log.",
      isChangeable: true,
      get: () => "",
    },
  ],
  prepare,
  headerFilter: (conf, place) => {
    const rules = prepare(conf, place);
    return rules === undefined || conf.userid === "log" ? undefined : filter(rules);
  },
});
