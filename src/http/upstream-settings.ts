/**
 * What the common directives of upstream-directives.ts amount to: how a scope merges and is checked, and the rules that a location gets of
 * them. nginx has this in the merge function of every one of its modules.
 */
import type { Position } from "../conf/diagnostics.ts";
import type { Declares, Scope } from "../conf/scope.ts";
import type { ConfOf, Directives, Report, Situation } from "../conf/slot.ts";
import type { Buffers } from "../conf/slots.ts";
import { connectSettingsOf } from "../net/upstream-socket.ts";
import { RESPONSE_FIELDS } from "../wire/http1/response-head.ts";
import type { CacheConf, NextWord } from "./cache-directives.ts";
import { cacheRulesOf, NEXT_BITS } from "./cache-rules.ts";
import type { Place } from "./module.ts";
import { endOfHttp } from "./modules/core.ts";
import type { TemporaryFolder } from "./temporary-file.ts";
import { localAddressOf } from "./upstream-bind.ts";
import { type AnswerConf, type ConnectConf, ignoredBits, prefixed, unprefixed } from "./upstream-directives.ts";
import type { StoreRules } from "./upstream-store.ts";

const DEFAULT_TEMP_FILE_BYTES = 1024 * 1024 * 1024;

/** The values of a family: see `unprefixed`. */
export type FamilyConf = AnswerConf & CacheConf;

/** Lines that every family hides. nginx: ngx_http_upstream_hide_headers_hash's lists. */
const ACCEL_LINES = [
  "X-Accel-Expires",
  "X-Accel-Redirect",
  "X-Accel-Limit-Rate",
  "X-Accel-Buffering",
  "X-Accel-Charset",
] as const;

/** The largest of the sizes that a part of an answer can have at once. */
function partBytes({ buffer_size: head, buffers: body }: AnswerConf): number {
  return Math.max(head, body.sizeBytes);
}

function checkSizes(p: string, conf: AnswerConf, report: (message: string) => void): void {
  const { count, sizeBytes }: Buffers = conf.buffers;
  if (count < 2) {
    report(`there must be at least 2 "${p}_buffers"`);
    return;
  }
  const words = `the maximum of the value of "${p}_buffer_size" and one of the "${p}_buffers"`;
  const part = partBytes(conf);
  const busy = conf.busy_buffers_size ?? 2 * part;
  if (busy < part) report(`"${p}_busy_buffers_size" must be equal to or greater than ${words}`);
  else if (busy > (count - 1) * sizeBytes)
    report(`"${p}_busy_buffers_size" must be less than the size of all "${p}_buffers" minus one buffer`);
  else if ((conf.temp_file_write_size ?? 2 * part) < part)
    report(`"${p}_temp_file_write_size" must be equal to or greater than ${words}`);
  else if ((conf.max_temp_file_size ?? DEFAULT_TEMP_FILE_BYTES) < part && conf.max_temp_file_size !== 0)
    report(
      `"${p}_max_temp_file_size" must be equal to zero to disable temporary files usage or must be equal to or ` +
        `greater than ${words}`,
    );
}

/** Finishes the merged values of a module with the family `p`: the folder has a default, and an answer is kept in one place, where the inner scope wins. */
export function mergeFamily<M extends object>(p: string, merged: M, { own, environment }: Situation<Directives>): M {
  const { store, cache, temp_path } = unprefixed<FamilyConf>(p, merged);
  const additions: Partial<FamilyConf> = {};
  Object.assign(additions, { temp_path: temp_path ?? { path: `${environment.prefix}${p}_temp`, levels: [1, 2] } });
  if (store !== "off" && cache !== "off")
    Object.assign(additions, own[`${p}_store`] === undefined ? { store: "off" } : { cache: "off" });
  return { ...merged, ...prefixed(p, additions) };
}

function behind(one: Position | undefined, other: Position | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.line === other.line ? one.column > other.column : one.line > other.line;
}

/** A module with a family, and one of its scopes. */
interface FamilyScope {
  readonly prefix: string;
  readonly module: Declares<Directives>;
  readonly scope: Scope;
}

/** Looks at what is set right here. */
export function checkFamily<D extends Directives>(
  prefix: string,
  module: { readonly directives: D },
  merged: ConfOf<D>,
  { own: set, scope }: Situation<D>,
  report: Report,
): void {
  const conf = unprefixed<FamilyConf>(prefix, merged);
  const own = unprefixed<Partial<FamilyConf>>(prefix, set);
  checkCache({ prefix, module, scope }, conf, own, report);
  // What stands in http itself is looked at when a server takes it over.
  const isMerged = scope.context !== "http" || scope.children.some(({ context }) => context === "server");
  if (isMerged && Object.keys(own).some((name) => /buffer|temp_file/.test(name)))
    checkSizes(prefix, conf, (message) => report("emerg", message, endOfHttp(scope)));
}

/** The caches of a configuration are those of its http block. */
function checkCache(
  { prefix, module, scope }: FamilyScope,
  conf: FamilyConf,
  own: Partial<FamilyConf>,
  report: Report,
): void {
  const position = (name: "cache" | "store"): Position | undefined =>
    scope.origin(module, `${prefix}_${name}`)?.positions[0];
  const { cache: choice, store } = own;
  if (choice === undefined || choice === "off") return;
  if (store !== undefined && store !== "off") {
    const isLater = behind(position("store"), position("cache"));
    const [late, early] = isLater ? (["store", "cache"] as const) : (["cache", "store"] as const);
    const message = `"${prefix}_${late}" directive is incompatible with "${prefix}_${early}"`;
    report("emerg", message, position(late));
  }
  if ("zone" in choice && !conf.cache_path.some(({ zone }) => zone === choice.zone))
    report("emerg", `"${prefix}_cache" zone "${choice.zone}" is unknown`, endOfHttp(scope));
}

/** The set of NEXT_ bits that words of `…_next_upstream` stand for. */
export function nextBits(words: ReadonlySet<NextWord>): number {
  if (words.has("off")) return 0;
  let sum = 0;
  for (const word of words) sum |= NEXT_BITS[word];
  return sum;
}

function storeOf({ store, store_access: mode }: AnswerConf, place: Place): StoreRules | undefined {
  if (store === "off") return undefined;
  return { path: store === "on" ? undefined : place.compile(store), mode };
}

/** The rules that even the smallest family has. */
export function connectRules(
  conf: ConnectConf,
  buffers: { readonly receive: number; readonly send: number },
  place: Place,
) {
  return {
    connectTimeoutMs: conf.connect_timeout,
    sendTimeoutMs: conf.send_timeout,
    readTimeoutMs: conf.read_timeout,
    nextTries: conf.next_upstream_tries,
    nextTimeoutMs: conf.next_upstream_timeout,
    bufferSize: conf.buffer_size,
    localAddress: localAddressOf(conf.bind, place),
    connectSettings: connectSettingsOf(conf.bind, {
      keepAlive: conf.socket_keepalive,
      receiveBuffer: buffers.receive,
      sendBuffer: buffers.send,
    }),
  };
}

/** What a protocol without bodies to send, buffers, caches and lines to hide says of these. */
export const BARE_RULES = {
  uriOf: () => "",
  sendsBody: false,
  streamsBody: () => false,
  isHead: () => false,
  memoryBytes: 0,
  busyBytes: 0,
  fileWriteBytes: 0,
  maxTempFileSize: 0,
  temporaryFolder: { path: "", levels: [] },
  buffering: false,
  interceptErrors: false,
  ignoreClientAbort: false,
  passTrailers: false,
  store: undefined,
  cache: undefined,
  limitRate: undefined,
  ignoredHeaders: 0,
  hiddenNames: new Set<string>(),
  rewriteRedirect: undefined,
  rewriteCookie: undefined,
} as const;

/** The rules that all families but memcached's have in common. `hidden`: lines that this one hides beside those that all hide. */
export function familyRules(
  conf: FamilyConf,
  options: { readonly hidden: readonly string[]; readonly convertHead: boolean },
  place: Place,
) {
  const { buffers: memory } = conf;
  const part = partBytes(conf);
  const hidden = new Set([...options.hidden, ...ACCEL_LINES, ...conf.hide_header].map((name) => name.toLowerCase()));
  for (const name of conf.pass_header) hidden.delete(name.toLowerCase());
  return {
    ...connectRules(conf, { receive: conf.socket_rcvbuf, send: conf.socket_sndbuf }, place),
    tunnels: false,
    next: nextBits(conf.next_upstream),
    memoryBytes: memory.count * memory.sizeBytes,
    busyBytes: conf.busy_buffers_size ?? 2 * part,
    fileWriteBytes: conf.temp_file_write_size ?? 2 * part,
    maxTempFileSize: conf.max_temp_file_size ?? DEFAULT_TEMP_FILE_BYTES,
    temporaryFolder: conf.temp_path as TemporaryFolder,
    buffering: conf.buffering,
    interceptErrors: conf.intercept_errors,
    interceptsMissing: false,
    ignoreClientAbort: conf.ignore_client_abort,
    forceRanges: conf.force_ranges,
    store: storeOf(conf, place),
    cache: cacheRulesOf(conf, options.convertHead, place),
    limitRate: conf.limit_rate === undefined ? undefined : place.compile(conf.limit_rate),
    ignoredHeaders: ignoredBits(conf.ignore_headers),
    hiddenFields: Uint8Array.from(RESPONSE_FIELDS, (name) => (hidden.has(name) ? 1 : 0)),
    hiddenNames: hidden as ReadonlySet<string>,
  };
}
