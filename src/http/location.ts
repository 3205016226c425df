/** What a request runs through, built once from the configuration: locations, virtual servers, listening points. */
import type { Log } from "../base/log.ts";
import type { Scope } from "../conf/scope.ts";
import type { ServerNames } from "../net/server-names.ts";
import type { HeadLimits } from "../wire/http1/head-results.ts";
import type { LastHead } from "./answer-head.ts";
import type { LocationTree } from "./location-tree.ts";
import type { CoreConf, ServerConf } from "./modules/core.ts";
import type { FileUse, OpenFileCacheSettings } from "./open-files.ts";
import type { Outcome } from "./outcome.ts";
import type { Request } from "./request.ts";
import type { SymlinkRule } from "./symlinks.ts";
import type { Text } from "./variables.ts";

export type Handler = (request: Request) => Outcome;
/** Changes the header of the answer; a status instead of OK means that this status is to be answered. */
export type HeaderFilter = (request: Request) => number;

/** The phases by nginx's names. */
export const PHASES = [
  "postRead",
  "serverRewrite",
  "findConfig",
  "rewrite",
  "postRewrite",
  "preaccess",
  "access",
  "postAccess",
  "precontent",
  "content",
  "log",
] as const;
export type Phase = (typeof PHASES)[number];

export const POST_READ = 0;
export const SERVER_REWRITE = 1;
export const FIND_CONFIG = 2;
export const REWRITE = 3;
export const POST_REWRITE = 4;
export const PREACCESS = 5;
export const ACCESS = 6;
export const POST_ACCESS = 7;
export const PRECONTENT = 8;
export const CONTENT = 9;
export const LOG = 10;

/** One answer of `error_page`. */
export interface ErrorPage {
  readonly status: number;
  /** The status instead: a number, -1 for that of the page itself (`=`), undefined for the original one. */
  readonly overwrite: number | undefined;
  readonly uri: Text;
}

/** When a connection may be kept, as plain values. */
export interface KeepAliveRules {
  readonly timeoutMs: number;
  readonly requests: number;
  readonly ageMs: number;
  readonly notMsie6: boolean;
  readonly notSafari: boolean;
}

/** A location at work: what its phases do, flat. */
export interface Location {
  readonly scope: Scope;
  /** As written, `/` or `\.php$`; the server's name of nothing for the server itself. */
  readonly name: string;
  /** No location of its own: the server, an `if`, a `limit_except`. */
  readonly noName: boolean;
  readonly named: boolean;
  readonly exact: boolean;
  /** `^~`: no regular expression is asked when this one is the longest prefix. */
  readonly noRegex: boolean;
  readonly internal: boolean;
  readonly core: CoreConf;
  readonly log: Log;
  /** Handlers of each phase, by number. */
  readonly phases: readonly (readonly Handler[])[];
  /** Takes the content phase for itself (stub_status, proxy_pass …). */
  readonly contentHandler: Handler | undefined;
  readonly headerFilters: readonly HeaderFilter[];
  /** Those that see the answers of subrequests too. */
  readonly subrequestFilters: readonly HeaderFilter[];
  readonly logHandlers: readonly ((request: Request) => void)[];
  /** What modules have made of their directives for variables, by the module. */
  readonly prepared: ReadonlyMap<object, unknown>;
  /** Locations inside; undefined when there are none. */
  readonly inner: LocationTree | undefined;
  /** The location that holds for other methods. */
  readonly limitExcept: { readonly methods: ReadonlySet<string>; readonly location: Location } | undefined;
  readonly errorPages: ReadonlyMap<number, ErrorPage> | undefined;
  /** `root` or `alias` with its variables; the constant if it has none. */
  readonly root: Text;
  readonly constantRoot: string | undefined;
  /** Where a relative root begins: nginx's prefix. */
  readonly prefix: string;
  /** Characters of the URI that `alias` replaces; 0 for `root`, -1 for an alias with captures that replaces all. */
  readonly alias: number;
  readonly fileCache: OpenFileCacheSettings | undefined;
  /** Undefined when symbolic links are followed. */
  readonly symlinks: SymlinkRule | undefined;
  readonly fileUse: FileUse | undefined;
  /** Kept by `answer-head.ts`: a box, because the location itself never changes. */
  readonly lastHead: LastHead;
  readonly keepAliveRules: KeepAliveRules;
  readonly limitRate: Text | undefined;
  readonly limitRateAfter: Text | undefined;
  /** 103 answers of upstreams are passed on when one of them is neither empty nor `0`. */
  readonly earlyHints: readonly Text[] | undefined;
}

export interface VirtualServer {
  /** Its first name, `$server_name`. */
  readonly name: string;
  readonly conf: ServerConf;
  /** The server's own level: what holds where no location matches. */
  readonly location: Location;
  readonly named: ReadonlyMap<string, Location>;
  /** Asked first of all: `client_body_early_read`. */
  readonly readsBody: Handler | undefined;
  /** Some location has `tunnel_pass`. */
  readonly takesConnect: boolean;
}

/** One address that connections arrive at. */
export interface ListeningPoint {
  readonly name: string;
  readonly defaultServer: VirtualServer;
  /** Undefined when there is only the default server and it has no name to capture from. */
  readonly names: ServerNames<Request, VirtualServer> | undefined;
  readonly limits: HeadLimits;
  /** A PROXY protocol header comes ahead of the requests. */
  readonly proxyProtocol: boolean;
}
