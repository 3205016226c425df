/**
 * Directives of the http core: blocks, listening, limits, timeouts, files, errors. What they do is the engine itself.
 * nginx: ngx_http_core_module.
 */
import type { Position } from "../../conf/diagnostics.ts";
import { parsePattern } from "../../conf/pattern.ts";
import type { Pattern } from "../../conf/pcre.ts";
import type { Scope } from "../../conf/scope.ts";
import type { ConfOf, Report, Use } from "../../conf/slot.ts";
import {
  bits,
  block,
  blocks,
  choice,
  flag,
  fold,
  fullName,
  list,
  msec,
  num,
  type Opened,
  offset,
  raw,
  single,
  size,
  template,
  text,
} from "../../conf/slots.ts";
import { literal, type Template } from "../../conf/template.ts";
import { parseMsec, parseNumber, parseSec, parseSize } from "../../conf/units.ts";
import { sizeBytes } from "../../conf/values.ts";
import { parseErrorLog } from "../../net/error-log.ts";
import { type Listen, type ListenRules, parseListen } from "../../net/listen.ts";
import type { ResolverSettings } from "../../net/resolver.ts";
import { parseResolver } from "../../net/resolver-directive.ts";
import { parseServerName, type ServerNameWord } from "../../net/server-names.ts";
import { checkThreadPool } from "../../net/thread-pools.ts";
import { METHOD_NAMES } from "../../wire/http1/methods.ts";
import { UNLIMITED_RANGES } from "../../wire/http1/range.ts";
import { fileDirectives, namedPool } from "../file-directives.ts";
import { httpModule } from "../module.ts";
import { parsePredicates } from "../predicates.ts";
import { sendLowat } from "../send-lowat.ts";
import { parseSymlinks, type SymlinkSettings } from "../symlinks.ts";
import type { TemporaryFolder } from "../temporary-file.ts";

const EVERYWHERE = "http, server, location";
const MANY = Number.POSITIVE_INFINITY;

/** The words of a `location`. */
export interface LocationHeader {
  readonly kind: "prefix" | "exact" | "noRegex" | "regex" | "named";
  /** URI, expression (without modifier) or `@name`. */
  readonly name: string;
  readonly ignoreCase: boolean;
  /** Of a regular expression. */
  readonly pattern: Pattern | undefined;
}

/** One `error_page` line. */
export interface ErrorPageLine {
  readonly statuses: readonly number[];
  /** -1 for a lone `=`. */
  readonly overwrite: number | undefined;
  readonly uri: Template;
}

/** The `http` block and what stands only there. */
export const httpMain = httpModule({
  name: "http",
  contexts: "http",
  directives: {
    http: block({ main: "http" }, { doc: "Holds the configuration of the HTTP service." }),
    server: blocks({ http: "server" }, () => true, { doc: "Configures a virtual server." }),
    variables_hash_max_size: num(1024, {
      min: 1,
      doc: "Accepted without effect: variables need no hash of that size.",
    }),
    variables_hash_bucket_size: num(64, { min: 1, doc: "Accepted without effect: tables grow as they need." }),
    server_names_hash_max_size: num(512, { doc: "Accepted without effect: tables grow as they need." }),
    server_names_hash_bucket_size: num(64, { doc: "Accepted without effect: tables grow as they need." }),
  },
});

function parseLocation(use: Use): LocationHeader | undefined {
  const [first, second] = use.args as readonly [string, string | undefined];
  const [modifier, name] = second === undefined ? splitModifier(first) : [first, second];
  if (second !== undefined && first === "") return use.fail('invalid location modifier ""');
  const isPattern = modifier === "~" || modifier === "~*";
  const kind = isPattern ? "regex" : LOCATION_KINDS[modifier];
  if (kind === undefined) return use.fail(`invalid location modifier "${first}"`);
  const ignoreCase = modifier === "~*";
  const pattern = isPattern ? parsePattern(use, name, ignoreCase) : undefined;
  if (isPattern && pattern === undefined) return undefined;
  const header = {
    kind: kind === "prefix" && name.startsWith("@") ? "named" : kind,
    name,
    ignoreCase,
    pattern,
  } as const;
  return checkNesting(use, header);
}

const LOCATION_KINDS: Readonly<Record<string, "prefix" | "exact" | "noRegex">> = {
  "": "prefix",
  "=": "exact",
  "^~": "noRegex",
};

/** Locations must lie inside each other as their names say. */
function checkNesting(use: Use, header: LocationHeader): LocationHeader | undefined {
  const { kind, name } = header;
  const outer = use.context === "location" ? headerOf(use.scope) : undefined;
  if (outer === undefined) return header;
  if (outer.kind === "exact") return use.fail(`location "${name}" cannot be inside the exact location "${outer.name}"`);
  if (outer.kind === "named") return use.fail(`location "${name}" cannot be inside the named location "${outer.name}"`);
  if (kind === "named") return use.fail(`named location "${name}" can be on the server level only`);
  if (kind !== "regex" && !name.startsWith(outer.name))
    return use.fail(`location "${name}" is outside location "${outer.name}"`);
  return header;
}

/** The modifier may stand without a space in front of the name. */
function splitModifier(word: string): readonly [modifier: string, name: string] {
  const match = /^(=|\^~|~\*|~)(.*)$/s.exec(word);
  return match === null ? ["", word] : [match[1] as string, match[2] as string];
}

function checkLocations({ location }: { readonly location: readonly Opened<LocationHeader>[] }, report: Report): void {
  const seen = new Set<string>();
  for (const { header, scope } of location) {
    const { kind, name } = header;
    const key = `${kind === "exact" ? "=" : ""} ${name}`;
    if (kind !== "regex" && kind !== "named" && seen.has(key))
      report("emerg", `duplicate location "${name}"`, scope.directive?.end);
    seen.add(key);
  }
}

/** The words of the location that a scope is the inside of. */
export function headerOf(scope: Scope): LocationHeader | undefined {
  return scope.parent?.own(coreServer).location?.find((opened) => opened.scope === scope)?.header;
}

/** What a `listen` of HTTP can say. */
export const LISTEN_RULES: ListenRules = {
  usualPort: 80,
  knowsDefault: true,
  unsupported: new Set(["ssl", "http2", "quic"]),
};

function readListen(use: Use, known: readonly Listen[] = []): readonly Listen[] | undefined {
  const parsed = parseListen(use.args, LISTEN_RULES, use.environment.lookUp);
  if (typeof parsed === "string") return use.fail(parsed);
  const { listens, warnings } = parsed;
  for (const warning of warnings) use.warn(warning);
  const twice = listens.find((listen) => known.some(({ name }) => name === listen.name));
  return twice === undefined ? [...known, ...listens] : use.fail(`a duplicate listen ${twice.name}`);
}

/** Bounds of nginx's memory pools, so that a file that nginx refuses is refused. */
const MIN_POOL_BYTES = 112;
const POOL_ALIGNMENT = 16;

function checkPool(value: number, use: Use): number | undefined {
  if (value < MIN_POOL_BYTES) return use.fail(`the pool size must be no less than ${MIN_POOL_BYTES}`);
  if (value % POOL_ALIGNMENT !== 0) return use.fail(`the pool size must be a multiple of ${POOL_ALIGNMENT}`);
  return value;
}

/** The end of the http block: the line that nginx blames for what it finds when everything is merged. */
export function endOfHttp(scope: Scope): Position | undefined {
  let outer = scope;
  while (outer.context !== "http" && outer.parent !== undefined) outer = outer.parent;
  return outer.directive?.block?.end;
}

/** What stands in `http` and `server`. */
export const coreServer = httpModule({
  name: "http core, server",
  contexts: "http, server",
  checkLast: (conf, _situation, report) => checkLocations(conf, report),
  check(conf, { scope }, report) {
    if (scope.context !== "server" || conf.large_client_header_buffers.size >= conf.connection_pool_size) return;
    const message = 'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"';
    report("emerg", message, endOfHttp(scope));
  },
  directives: {
    listen: fold<readonly Listen[], readonly Listen[]>([], readListen, {
      in: "server",
      args: [1, MANY],
      inherit: "none",
      syntax: "address[:port] [parameter ...]",
      doc: "Address on which the server accepts connections.",
    }),
    server_name: fold<readonly ServerNameWord[], readonly ServerNameWord[]>([], parseServerName, {
      in: "server",
      args: [1, MANY],
      inherit: "none",
      syntax: "name ...",
      defaultText: '""',
      doc: "Names by which requests find this server.",
    }),
    location: blocks({ server: "location", location: "location" }, parseLocation, {
      args: [1, 2],
      syntax: "[ = | ~ | ~* | ^~ ] uri",
      doc: "Configuration for requests with this URI.",
    }),
    connection_pool_size: single(sizeBytes, "512", {
      validate: checkPool,
      doc: "Accepted without effect: memory is not pooled per connection.",
    }),
    request_pool_size: single(sizeBytes, "4k", {
      validate: checkPool,
      doc: "Accepted without effect: memory is not pooled per request.",
    }),
    client_header_timeout: msec("60s", { doc: "Time for a client to send a request's header." }),
    client_header_buffer_size: size("1k", { doc: "First buffer for a request's header." }),
    large_client_header_buffers: raw(
      { number: 4, size: 8192 },
      (use) => {
        const number = parseNumber(use.args[0] as string);
        const bufferSize = parseSize(use.args[1] as string);
        if (number === undefined || number === 0) return use.invalid("invalid value");
        if (bufferSize === undefined || bufferSize === 0) return use.invalid("invalid value");
        return { number, size: bufferSize };
      },
      {
        args: 2,
        syntax: "number size",
        defaultText: "4 8k",
        doc: "Buffers for large header lines: the request line and each field must fit into one.",
      },
    ),
    client_body_early_read: fold<readonly Template[], undefined>(undefined, parsePredicates, {
      args: [1, MANY],
      syntax: "string ...",
      doc: "Reads a request's body ahead of everything else when one of the strings is neither empty nor `0`.",
    }),
    max_headers: num(1000, { doc: "Header lines of a request." }),
    ignore_invalid_headers: flag(true, { doc: "Drops header lines with unusual names." }),
    merge_slashes: flag(true, { doc: "Takes adjacent slashes of a URI as one." }),
    underscores_in_headers: flag(false, { doc: "Allows underscores in names of header lines." }),
  },
});

function parseKeepaliveTimeout(use: Use): { readonly timeout: number; readonly header: number } | undefined {
  const timeout = parseMsec(use.args[0] as string);
  if (timeout === undefined) return use.invalid("invalid value");
  if (use.args.length === 1) return { timeout, header: 0 };
  const header = parseSec(use.args[1] as string);
  return header === undefined ? use.invalid("invalid value") : { timeout, header };
}

function parseErrorPage(use: Use): ErrorPageLine | undefined {
  const words = use.args;
  const uri = use.template(words.at(-1) as string);
  let count = words.length - 1;
  let overwrite: number | undefined;
  const response = words[count - 1] as string;
  if (response.startsWith("=") && count > 1) {
    count--;
    if (response === "=") overwrite = -1;
    else {
      overwrite = parseNumber(response.slice(1));
      if (overwrite === undefined) return use.fail(`invalid value "${response}"`);
    }
  }
  const statuses: number[] = [];
  for (const word of words.slice(0, count)) {
    const status = parseNumber(word);
    if (status === undefined || status === 499) return use.fail(`invalid value "${word}"`);
    if (status < 300 || status > 599) return use.fail(`value "${word}" must be between 300 and 599`);
    // What nginx answers with 400 can be named by its own code only.
    statuses.push(status);
  }
  return uri === undefined ? undefined : { statuses, overwrite, uri };
}

function parseTypes(use: Use, current: ReadonlyMap<string, string> | undefined): ReadonlyMap<string, string> {
  const types = new Map(current);
  for (const entry of use.entries) {
    for (const word of entry.args) {
      const extension = word.toLowerCase();
      const known = types.get(extension);
      if (known !== undefined) {
        entry.warn(`duplicate extension "${word}", content type: "${entry.name}", previous content type: "${known}"`);
      }
      types.set(extension, entry.name);
    }
  }
  return types;
}

const DEFAULT_TYPES: ReadonlyMap<string, string> = new Map([
  ["html", "text/html"],
  ["gif", "image/gif"],
  ["jpg", "image/jpeg"],
]);

/** A `root` or `alias`. */
export interface RootPath {
  readonly template: Template;
  /** Where a relative path begins. */
  readonly prefix: string;
}

function parseRoot(use: Use): RootPath | undefined {
  const isAlias = use.name === "alias";
  const other = isAlias ? "root" : "alias";
  if (use.isSet(other))
    return use.fail(`"${use.name}" directive is duplicate, "${other}" directive was specified earlier`);
  if (isAlias && headerOf(use.scope)?.kind === "named")
    return use.fail('the "alias" directive cannot be used inside the named location');
  const word = use.args[0] as string;
  for (const variable of ["document_root", "realpath_root"]) {
    if (word.includes(`$${variable}`) || word.includes(`\${${variable}}`)) {
      return use.fail(`the $${variable} variable cannot be used in the "${use.name}" directive`);
    }
  }
  const path = !isAlias && word.length > 1 && word.endsWith("/") ? word.slice(0, -1) : word;
  const { prefix } = use.environment;
  const template = use.template(/^[/$]/.test(path) ? path : prefix + path);
  return template === undefined ? undefined : { template, prefix };
}

/** The names of all levels of subfolders together have at most so many characters. */
const MAX_LEVEL_CHARACTERS = 10;

/** A folder with the digits of its levels of subfolders. */
export function parseTemporaryPath(use: Use): TemporaryFolder | undefined {
  const [path = "", ...words] = use.args;
  const levels = words.map((level) => parseNumber(level) ?? 0);
  const total = levels.reduce((sum, level) => sum + level, 0);
  if (levels.includes(0) || total > MAX_LEVEL_CHARACTERS) return use.invalid("invalid value");
  return { path: fullName(path, use.environment.prefix), levels };
}

function parseMethods(use: Use): readonly string[] | undefined {
  if (use.isSet(use.name)) return use.invalid("is duplicate");
  const methods = use.args.map((word) => word.toUpperCase());
  const unknown = methods.findIndex((word) => word === "" || !(METHOD_NAMES as readonly string[]).includes(word));
  if (unknown >= 0) return use.fail(`invalid method "${use.args[unknown]}"`);
  return methods.includes("GET") ? [...methods, "HEAD"] : methods;
}

/** What stands in `http`, `server` and `location`. */
export const core = httpModule({
  name: "http core",
  contexts: EVERYWHERE,
  merge: (merged, _outer, { environment: { prefix } }) => {
    const {
      root = { template: literal(`${prefix}html`), prefix },
      client_body_temp_path = { path: `${prefix}client_body_temp`, levels: [] },
    } = merged;
    return { ...merged, root, client_body_temp_path };
  },
  check(_conf, { scope, own }, report) {
    const pool = namedPool(own.aio);
    if (pool !== undefined) checkThreadPool(pool, scope.origin(core, "aio")?.positions[0], scope, report);
  },
  directives: {
    root: raw<RootPath, undefined>(undefined, parseRoot, {
      in: `${EVERYWHERE}, if in location`,
      syntax: "path",
      defaultText: "html",
      doc: "Folder of the files that requests name.",
    }),
    alias: raw<RootPath, undefined>(undefined, parseRoot, {
      in: "location",
      inherit: "none",
      syntax: "path",
      doc: "Replaces the location's prefix in the file's path.",
    }),
    internal: raw<boolean, boolean>(false, () => true, {
      in: "location",
      args: 0,
      inherit: "conditions",
      syntax: "",
      doc: "The location serves internal redirects only.",
    }),
    limit_except: blocks({ location: "limit_except" }, parseMethods, {
      args: [1, MANY],
      syntax: "method ...",
      doc: "Configuration for all methods but these.",
    }),
    types: fold<ReadonlyMap<string, string>, ReadonlyMap<string, string>>(DEFAULT_TYPES, parseTypes, {
      args: 0,
      block: true,
      syntax: "",
      doc: "Media types by file extension.",
    }),
    default_type: text("text/plain", { doc: "Media type of files without a known extension." }),
    types_hash_max_size: num(1024, { doc: "Accepted without effect: tables grow as they need." }),
    types_hash_bucket_size: num(64, { doc: "Accepted without effect: tables grow as they need." }),
    client_max_body_size: offset("1m", { doc: "Largest body of a request; 0 for any." }),
    client_body_buffer_size: size("16k", { doc: "Body that is kept in memory; more goes to a file." }),
    client_body_timeout: msec("60s", { doc: "Time between two reads of a request's body." }),
    client_body_in_single_buffer: flag(false, {
      doc: "Accepted without effect: a body in memory is always in one piece.",
    }),
    client_body_in_file_only: choice("off", ["off", "on", "clean"], {
      doc: "Puts every body of a request into a file; `clean` removes it afterwards.",
    }),
    client_body_temp_path: raw<TemporaryFolder, undefined>(undefined, parseTemporaryPath, {
      args: [1, 4],
      syntax: "path [level1 [level2 [level3]]]",
      defaultText: "client_body_temp",
      doc: "Folder of temporary files with request bodies.",
    }),
    ...fileDirectives,
    postpone_output: size("1460", {
      doc: "Less of an answer than that waits for more of it, unless its buffering is off.",
    }),
    subrequest_output_buffer_size: size("4k", { doc: "Largest answer of a subrequest that is kept in memory." }),
    post_action: text(undefined, {
      in: `${EVERYWHERE}, if in location`,
      doc: "Where a request goes when it has been answered; nothing more is sent.",
    }),
    tcp_nopush: flag(false, { doc: "Sends the header and the beginning of a file in one packet; always done." }),
    tcp_nodelay: flag(true, { doc: "Sets TCP_NODELAY on keep-alive connections." }),
    send_lowat: sendLowat(),
    send_timeout: msec("60s", { doc: "Time between two successful writes to a client." }),
    early_hints: fold<readonly Template[], undefined>(undefined, parsePredicates, {
      args: [1, MANY],
      syntax: "string ...",
      doc: "Passes 103 answers of servers on when one of the strings is neither empty nor `0`.",
    }),
    limit_rate: template(undefined, {
      constant: sizeBytes,
      in: `${EVERYWHERE}, if in location`,
      doc: "Bytes a second of an answer; 0 for any.",
    }),
    limit_rate_after: template(undefined, {
      constant: sizeBytes,
      in: `${EVERYWHERE}, if in location`,
      doc: "Bytes that are sent before the rate is limited.",
    }),
    keepalive_time: msec("1h", { doc: "Age at which a connection is closed behind an answer." }),
    keepalive_timeout: raw({ timeout: 75_000, header: 0 }, parseKeepaliveTimeout, {
      args: [1, 2],
      syntax: "timeout [header_timeout]",
      defaultText: "75s",
      doc: "Time that an idle keep-alive connection stays open; what the Keep-Alive field says.",
    }),
    resolver: raw<ResolverSettings, undefined>(undefined, parseResolver, {
      args: [1, MANY],
      syntax: "address ... [valid=time] [ipv4=on|off] [ipv6=on|off]",
      doc: "Name servers that are asked for names while the server runs.",
    }),
    resolver_timeout: msec("30s", { doc: "Time for the answer to a name." }),
    keepalive_min_timeout: msec("0", { doc: "Time that an idle keep-alive connection stays open in any case." }),
    keepalive_requests: num(1000, { doc: "Requests of one connection." }),
    keepalive_disable: bits(["msie6"], ["none", "msie6", "safari"], {
      args: [1, 2],
      doc: "Browsers without keep-alive.",
    }),
    auth_delay: msec("0", { doc: "Time after which a client without the right password is refused." }),
    satisfy: choice("all", ["all", "any"], { doc: "Whether all access modules must agree or one is enough." }),
    lingering_close: choice("on", ["off", "on", "always"], { doc: "Reads what a client still sends before closing." }),
    lingering_time: msec("30s", { doc: "Longest lingering close." }),
    lingering_timeout: msec("5s", { doc: "Wait for more data in a lingering close." }),
    reset_timedout_connection: flag(false, { doc: "Resets connections that time out." }),
    absolute_redirect: flag(true, { doc: "Redirects name scheme and host." }),
    server_name_in_redirect: flag(false, { doc: "Redirects name the server by its first name." }),
    port_in_redirect: flag(true, { doc: "Redirects name the port." }),
    msie_padding: flag(true, { doc: "Pads error pages for some browsers." }),
    msie_refresh: flag(false, { doc: "Refreshes instead of redirects for MSIE." }),
    log_not_found: flag(true, { doc: "Logs missing files." }),
    log_subrequest: flag(false, { doc: "Logs subrequests too." }),
    recursive_error_pages: flag(false, { doc: "Error pages may have error pages." }),
    server_tokens: choice("on", ["off", "on", "build"], { doc: "Whether the version is told." }),
    if_modified_since: choice("exact", ["off", "exact", "before"], { doc: "How If-Modified-Since is compared." }),
    max_ranges: num(UNLIMITED_RANGES, { doc: "Ranges of one request; 0 switches ranges off." }),
    chunked_transfer_encoding: flag(true, { doc: "Whether the chunked coding may be used." }),
    etag: flag(true, { doc: "Gives files an ETag." }),
    error_page: list(parseErrorPage, {
      in: `${EVERYWHERE}, if in location`,
      args: [2, MANY],
      syntax: "code ... [=[response]] uri",
      doc: "Answers errors with another URI.",
    }),
    error_log: list(parseErrorLog, { args: [1, MANY], syntax: "file [level]", doc: "Where errors are logged." }),
    disable_symlinks: raw<SymlinkSettings, SymlinkSettings>({ mode: "off", from: undefined }, parseSymlinks, {
      args: [1, 2],
      syntax: "off | on | if_not_owner [from=part]",
      defaultText: "off",
      doc: "Refuses files behind symbolic links: any, or those of another owner than the file's.",
    }),
  },
});

export type CoreConf = ConfOf<typeof core.directives>;
export type ServerConf = ConfOf<typeof coreServer.directives>;
