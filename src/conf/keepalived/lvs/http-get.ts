/** HTTP_GET and SSL_GET with their urls. keepalived: check_http.c. */
import type { Bytes } from "../../../base/bytes.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { keyword, number } from "../slots.ts";
import { splitCommand } from "../words.ts";
import { addChecker, commonKeywords, hasInterface } from "./connection.ts";
import type { HttpCheckerDraft, RealServerDraft, UrlDraft } from "./drafts.ts";
import { MAX_U32, text, toggle } from "./slots.ts";

const MIN_STATUS = 100;
const MAX_STATUS = 599;
/** An MD5 in hexadecimal digits. */
const DIGEST_DIGITS = 32;
/** Urls of one checker. */
const MAX_URLS = 256;

/** keepalived's names of PCRE's options. */
export const REGEX_OPTIONS: readonly string[] =
  "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex alt_verbnames use_offset_limit".split(
    " ",
  );

function readDigest(draft: UrlDraft, line: Line, scope: Interpreter): void {
  const word = scope.word(line, 1);
  if (word === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  if (draft.digest !== undefined) {
    warn(`Digest '${word}' is a duplicate`);
    return;
  }
  if (word.length !== DIGEST_DIGITS) {
    const lengths = `should be ${DIGEST_DIGITS} rather than ${word.length}`;
    warn(`digest '${word}' character length ${lengths}`);
    return;
  }
  const digest: Bytes = new Uint8Array(DIGEST_DIGITS / 2);
  // keepalived reads from the end and cuts off what it has read.
  for (let at = digest.length - 1; at >= 0; at--) {
    const digits = word.slice(2 * at, 2 * at + 2);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
      const place = `at offset ${2 * at}/${2 * at + 1}`;
      warn(`Unable to interpret hex digit in '${word.slice(0, 2 * at + 2)}' ${place}`);
      return;
    }
    digest[at] = Number.parseInt(digits, 16);
  }
  draft.digest = digest;
}

function readStatusCodes(draft: UrlDraft, line: Line, scope: Interpreter): void {
  for (const word of line.words.slice(1)) {
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(word);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match !== null && from >= MIN_STATUS && to <= MAX_STATUS && from <= to) draft.statusCodes.push([from, to]);
    else scope.report("warn", `Invalid HTTP_GET status code '${word}'`, line.position);
  }
}

/** What keepalived says of an expression goes to its log alone. */
function regexOffset(which: "min" | "max", doc: string): Keyword<UrlDraft> {
  return keyword({ syntax: "BYTES", doc }, (draft, line, scope) => {
    const [, word = ""] = line.words;
    const isNumber = line.words.length === 2 && /^[0-9]+$/.test(word);
    if (line.words.length !== 2)
      scope.report("info", `Missing or too may options for regex_${which}_offset`, line.position);
    else if (!isNumber) scope.report("info", `Invalid regex_${which}_offset ${word} specified`, line.position);
    const value = isNumber ? Number(word) : 0;
    if (which === "min") draft.regexMinOffset = value;
    else draft.regexMaxOffset = value + 1;
  });
}

/** Of SSL_GET alone; as sni_name it came behind 2.2.7. */
const tlsCompliant = {
  tls_compliant: toggle<Draft & { tlsCompliant?: boolean }>("tlsCompliant", {
    default: "off",
    doc: "TLS is ended as its standard asks, with an alert.",
    invalid: (word) => `Invalid tls_compliant option ${word}`,
  }),
};

const urlKeywords: Keywords<UrlDraft> = {
  path: keyword({ syntax: "PATH", doc: "What is asked for." }, (draft, line, scope) => {
    const word = scope.word(line, 1);
    if (word !== undefined) draft.path = word;
  }),
  digest: keyword({ syntax: "MD5", doc: "MD5 of the body that must come." }, readDigest),
  status_code: keyword(
    { syntax: "CODE|FROM-TO…", default: "200-299", doc: "Status codes that are good." },
    readStatusCodes,
  ),
  virtualhost: text<UrlDraft>("virtualhost", {
    default: "the checker's",
    doc: "Host that is asked.",
    missing: "Missing HTTP_GET virtualhost name",
  }),
  regex: keyword({ syntax: "PATTERN", doc: "What the body must hold." }, (draft, line, scope) => {
    const words = splitCommand(line.text);
    if (words?.length === 2) draft.pattern = words[1] as string;
    else scope.report("info", "regex missing or too many fields", line.position);
  }),
  regex_no_match: keyword({ doc: "The body must not hold it." }, (draft) => {
    draft.regexNoMatch = true;
  }),
  regex_options: keyword(
    { syntax: "OPTION…", doc: "Options of PCRE: caseless, dotall, multiline, extended and others." },
    (draft, line) => {
      draft.regexOptions.push(...line.words.slice(1).filter((word) => REGEX_OPTIONS.includes(word)));
    },
  ),
  regex_min_offset: regexOffset("min", "Byte of the body at which a match may begin first."),
  regex_max_offset: regexOffset("max", "Byte of the body at which a match may begin last."),
  regex_stack: keyword({ syntax: "START MAX", doc: "No effect: there is no such stack." }, (draft, line, scope) => {
    const [, start = "", max = ""] = line.words;
    const say = (message: string): void => scope.report("info", message, line.position);
    if (line.words.length !== 3) return say("regex_stack requires start and max values");
    if (!/^[0-9]+$/.test(start)) return say("regex_stack invalid start value");
    if (!/^[0-9]+$/.test(max)) return say("regex_stack invalid max value");
    if (Number(start) > Number(max)) return say("regex stack start cannot exceed max value");
    draft.regexStack = true;
  }),
};

const sslUrlKeywords: Keywords<UrlDraft> = { ...urlKeywords, ...(tlsCompliant as Keywords<Draft>) };

function readUrl(draft: HttpCheckerDraft, line: Line, scope: Interpreter, keywords: Keywords<UrlDraft>): void {
  const url: UrlDraft = { where: new Map(), statusCodes: [], regexOptions: [] };
  const end = scope.block(keywords, url);
  if (url.path === undefined) {
    scope.report("warn", "HTTP/SSL_GET checker url has no path - ignoring", end);
    return;
  }
  if (draft.urls.length >= MAX_URLS) {
    scope.report("error", `a checker has more than ${MAX_URLS} urls`, line.position);
    return;
  }
  const say = (message: string): void => scope.report("info", message, end);
  const { pattern, regexOptions, regexNoMatch, regexMinOffset = 0, regexMaxOffset = 0, regexStack } = url;
  const isAsked = regexOptions.length > 0 || regexNoMatch === true || regexMinOffset > 0 || regexMaxOffset > 0;
  if (pattern === undefined && (isAsked || regexStack === true)) say("regex parameters specified without regex");
  else if (regexMaxOffset > 0 && regexMinOffset >= regexMaxOffset) {
    say(`regex min offset ${regexMinOffset} > regex_max_offset ${regexMaxOffset - 1} - ignoring`);
    url.regexMinOffset = 0;
    url.regexMaxOffset = 0;
  }
  draft.urls.push(url);
}

function urlBlock(keywords: Keywords<UrlDraft>): Keyword<HttpCheckerDraft> {
  return keyword(
    { syntax: "{ … }", doc: "A page to ask for." },
    (draft, line, scope) => readUrl(draft, line, scope, keywords),
    keywords as Keywords<never>,
  );
}

const httpKeywords: Keywords<HttpCheckerDraft> = {
  ...(commonKeywords as Keywords<Draft>),
  nb_get_retry: keyword({ syntax: `0…${MAX_U32}`, doc: "Old spelling of retry." }, (draft, line, scope) => {
    scope.report("warn", "nb_get_retry is deprecated - please use 'retry'", line.position);
    const invalid = (word: string): string => `Invalid nb_get_retry value '${word}'`;
    const value = number(line, scope, { min: 0, max: MAX_U32, invalid }, draft);
    if (value !== undefined) draft.retries = value;
  }),
  virtualhost: text<HttpCheckerDraft>("virtualhost", {
    default: "the real server's, else the virtual server's, else the address",
    doc: "Host that is asked.",
    missing: "HTTP_GET virtualhost name missing",
  }),
  http_protocol: keyword(
    { syntax: "1.0|1.0C|1.1", default: "1.0", doc: "Version of HTTP; 1.0C: with Connection: close." },
    (draft, line, scope) => {
      const [, word] = line.words;
      if (word === undefined) scope.report("warn", "Missing http_protocol version", line.position);
      else if (word === "1.0" || word === "1.1") draft.protocol = word;
      else if (/^1\.0C$/i.test(word)) draft.protocol = "1.0C";
      else scope.report("warn", `Invalid http_protocol version ${word}`, line.position);
    },
  ),
  enable_sni: toggle<HttpCheckerDraft>("sni", {
    default: "off",
    doc: "The host's name is sent in TLS.",
    invalid: (word) => `Invalid enable_sni parameter ${word}`,
  }),
  sni_name: keyword(
    { syntax: "[NAME]", default: "the host's", doc: "The name that is sent in TLS; turns enable_sni on." },
    (draft, line, scope) => {
      const [, name] = line.words;
      if (name === undefined && draft.sniName !== undefined) {
        const message = `sni_name already specified as ${draft.sniName} - ignoring setting to default`;
        scope.report("warn", message, line.position);
        return;
      }
      if (name !== undefined) draft.sniName = name;
      draft.sni = true;
    },
  ),
  fast_recovery: toggle<HttpCheckerDraft>("fastRecovery", {
    default: "off",
    doc: "A server that is down, but whose next check may bring it up, is checked at once.",
    invalid: (word) => `Invalid fast_recovery parameter ${word}`,
  }),
  url: urlBlock(urlKeywords),
};

const sslKeywords: Keywords<HttpCheckerDraft> = {
  ...httpKeywords,
  ...(tlsCompliant as Keywords<Draft>),
  url: urlBlock(sslUrlKeywords),
};

/** The block of one of the two. */
export function httpChecker(kind: HttpCheckerDraft["kind"], doc: string): Keyword<RealServerDraft> {
  const keywords = kind === "SSL_GET" ? sslKeywords : httpKeywords;
  return keyword(
    { syntax: "{ … }", doc },
    (realServer, line, scope) => {
      const draft: HttpCheckerDraft = { kind, at: line.position, where: new Map(), realServer, urls: [] };
      const end = scope.block(keywords, draft);
      const warn = (message: string): void => scope.report("warn", message, end);
      if (draft.urls.length === 0) return warn("HTTP/SSL_GET checker has no urls specified - ignoring");
      if (hasInterface(draft, realServer.address.ip, warn)) addChecker(realServer, draft, scope);
    },
    keywords as Keywords<never>,
  );
}
