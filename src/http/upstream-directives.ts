/**
 * Directives that every module with upstreams has, each under the module's own prefix: `proxy_read_timeout`,
 * `fastcgi_read_timeout`. A family is declared here once, without the prefix; upstream-settings.ts makes rules of its values.
 */
import type { ConfOf, Use } from "../conf/slot.ts";
import { bits, buffers, flag, list, msec, num, raw, size, template } from "../conf/slots.ts";
import type { Template } from "../conf/template.ts";
import { sizeBytes } from "../conf/values.ts";
import { type Bind, parseBind } from "../net/upstream-socket.ts";
import type { NextWord } from "./cache-directives.ts";
import { parseAccess } from "./file-moves.ts";
import { parseTemporaryPath } from "./modules/core.ts";
import type { TemporaryFolder } from "./temporary-file.ts";
import * as rules from "./upstream-rules.ts";
import { parseStore } from "./upstream-store.ts";

/** nginx's page: the size of buffers that nobody has set. */
const PAGE = "4k";

/** A family under its prefix. */
export type Prefixed<P extends string, D> = { readonly [K in keyof D & string as `${P}_${K}`]: D[K] };

export function prefixed<const P extends string, D extends object>(prefix: P, family: D): Prefixed<P, D> {
  const entries = Object.entries(family).map(([name, slot]) => [`${prefix}_${name}`, slot]);
  return Object.fromEntries(entries) as unknown as Prefixed<P, D>;
}

/** The values of a family (`C`) in the configuration of its module, by their names without the prefix. */
export function unprefixed<C extends object>(prefix: string, conf: object): C {
  const start = prefix.length + 1;
  return Object.fromEntries(Object.entries(conf).map(([name, value]) => [name.slice(start), value])) as unknown as C;
}

const IGNORED_BITS = {
  "X-Accel-Redirect": rules.IGNORE_X_ACCEL_REDIRECT,
  "X-Accel-Expires": rules.IGNORE_X_ACCEL_EXPIRES,
  "X-Accel-Limit-Rate": rules.IGNORE_X_ACCEL_LIMIT_RATE,
  "X-Accel-Buffering": rules.IGNORE_X_ACCEL_BUFFERING,
  "X-Accel-Charset": rules.IGNORE_X_ACCEL_CHARSET,
  Expires: rules.IGNORE_EXPIRES,
  "Cache-Control": rules.IGNORE_CACHE_CONTROL,
  "Set-Cookie": rules.IGNORE_SET_COOKIE,
  Vary: rules.IGNORE_VARY,
} as const;
type IgnoredWord = keyof typeof IGNORED_BITS;

/** The set of IGNORE_ bits that words of `…_ignore_headers` stand for. */
export function ignoredBits(words: ReadonlySet<IgnoredWord>): number {
  let sum = 0;
  for (const word of words) sum |= IGNORED_BITS[word];
  return sum;
}

/** How a server is connected to, and when the next one is asked: what even the smallest family has. */
export function connectDirectives() {
  return {
    connect_timeout: msec("60s", { doc: "Time for a connection to a server." }),
    send_timeout: msec("60s", { doc: "Time between two writes to a server." }),
    read_timeout: msec("60s", { doc: "Time between two reads from a server." }),
    bind: raw<Bind, undefined>(undefined, parseBind, {
      args: [1, 2],
      syntax: "address [transparent] | off",
      doc: "The address that connections to servers come from; `transparent`: also one that is not of this machine.",
    }),
    socket_keepalive: flag(false, { doc: "Has TCP probe connections to servers (SO_KEEPALIVE)." }),
    buffer_size: size(PAGE, { doc: "Largest head of an answer." }),
    next_upstream_tries: num(0, { doc: "Servers that a request is given to; 0 for all." }),
    next_upstream_timeout: msec("0", { doc: "Time in which a request may go on to another server; 0 for any." }),
  };
}
export type ConnectConf = ConfOf<ReturnType<typeof connectDirectives>>;

const headerName = (use: Use): string => use.args[0] as string;

/** What all but memcached have, without the cache's part. `p`: the prefix, for texts. */
export function answerDirectives(p: string, words: readonly NextWord[]) {
  return {
    ...connectDirectives(),
    socket_rcvbuf: size("0", { doc: "Receive buffer of connections to servers; 0 for the system's." }),
    socket_sndbuf: size("0", { doc: "Send buffer of connections to servers; 0 for the system's." }),
    next_upstream: bits<NextWord>(["error", "timeout"], words, {
      doc: "What makes a request go on to the next server.",
    }),
    pass_request_headers: flag(true, { doc: "Passes the lines of the client's request." }),
    pass_request_body: flag(true, { doc: "Passes the body of the client's request." }),
    hide_header: list(headerName, { syntax: "field", doc: "A line of answers that clients don't see." }),
    pass_header: list(headerName, {
      syntax: "field",
      doc: "A line of answers that clients see although it is hidden otherwise.",
    }),
    ignore_headers: bits([], Object.keys(IGNORED_BITS) as IgnoredWord[], {
      doc: "Lines of answers that have no effect.",
    }),
    intercept_errors: flag(false, { doc: "Answers errors of the server with `error_page`." }),
    request_buffering: flag(true, { doc: "Reads the whole body of a request before a server is asked." }),
    store: raw<Template | "on" | "off", "off">("off", parseStore, {
      syntax: "on | off | string",
      defaultText: "off",
      doc: "Keeps a copy of each answer with status 200 as a file: where `root` or `alias` has it, or at the path that the string makes.",
    }),
    store_access: raw<number, number>(0o600, parseAccess, {
      args: [1, 3],
      syntax: "users:permissions ...",
      defaultText: "user:rw",
      doc: `Who may do what with files of \`${p}_store\`.`,
    }),
    limit_rate: template(undefined, {
      constant: sizeBytes,
      doc: "Bytes a second that are taken of a buffered answer; 0 for any.",
    }),
    buffering: flag(true, { doc: "Reads answers as fast as the server sends them." }),
    buffers: buffers(`8 ${PAGE}`, { doc: "Memory for an answer that a slow client has not taken." }),
    busy_buffers_size: size(undefined, {
      doc: `Bytes of \`${p}_buffers\` that a slow client has been given, while the rest may go into a file; twice the larger of \`${p}_buffer_size\` and one of them without.`,
    }),
    max_temp_file_size: size(undefined, { doc: "Bytes of an answer that may wait in a file; 0 for none." }),
    temp_file_write_size: size(undefined, {
      doc: `Bytes of one write to the file with a waiting answer; twice the larger of \`${p}_buffer_size\` and one of the \`${p}_buffers\` without.`,
    }),
    temp_path: raw<TemporaryFolder, undefined>(undefined, parseTemporaryPath, {
      args: [1, 4],
      syntax: "path [level1 [level2 [level3]]]",
      defaultText: `${p}_temp`,
      doc: "Folder of temporary files with answers.",
    }),
    ignore_client_abort: flag(false, { doc: "Finishes requests whose client has gone." }),
    force_ranges: flag(false, { doc: "Serves ranges of any answer." }),
  };
}
export type AnswerConf = ConfOf<ReturnType<typeof answerDirectives>>;
