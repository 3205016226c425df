/** All modules in the order that nginx registers them: filters of the header run from the last to the first, and so do handlers of a phase. */
import type { VariableWords } from "../conf/describe.ts";
import { Variables } from "../net/variables.ts";
import { CORE_PREFIXES, CORE_VARIABLES } from "./core-variables.ts";
import type { HttpModule } from "./module.ts";
import { access } from "./modules/access.ts";
import { addition } from "./modules/addition.ts";
import { authBasic } from "./modules/auth_basic.ts";
import { authRequest } from "./modules/auth_request.ts";
import { autoindex } from "./modules/autoindex.ts";
import { brotli } from "./modules/brotli.ts";
import { brotliStatic } from "./modules/brotli_static.ts";
import { browser } from "./modules/browser.ts";
import { charset } from "./modules/charset.ts";
import { chunked } from "./modules/chunked.ts";
import { core, coreServer, httpMain } from "./modules/core.ts";
import { dav } from "./modules/dav.ts";
import { emptyGif } from "./modules/empty_gif.ts";
import { fastcgi } from "./modules/fastcgi.ts";
import { flv } from "./modules/flv.ts";
import { geo } from "./modules/geo.ts";
import { gunzip } from "./modules/gunzip.ts";
import { gzip } from "./modules/gzip.ts";
import { gzipStatic } from "./modules/gzip_static.ts";
import { headers } from "./modules/headers.ts";
import { index } from "./modules/index.ts";
import { limitConn } from "./modules/limit_conn.ts";
import { limitReq } from "./modules/limit_req.ts";
import { log } from "./modules/log.ts";
import { map } from "./modules/map.ts";
import { memcached } from "./modules/memcached.ts";
import { mirror } from "./modules/mirror.ts";
import { mp4 } from "./modules/mp4.ts";
import { notModified } from "./modules/not_modified.ts";
import { proxy } from "./modules/proxy.ts";
import { randomIndex } from "./modules/random_index.ts";
import { range } from "./modules/range.ts";
import { realip } from "./modules/realip.ts";
import { referer } from "./modules/referer.ts";
import { rewrite } from "./modules/rewrite.ts";
import { scgi } from "./modules/scgi.ts";
import { secureLink } from "./modules/secure_link.ts";
import { slice } from "./modules/slice.ts";
import { splitClients } from "./modules/split_clients.ts";
import { ssi } from "./modules/ssi.ts";
import { staticFiles } from "./modules/static.ts";
import { stubStatus } from "./modules/stub_status.ts";
import { sub } from "./modules/sub.ts";
import { tryFiles } from "./modules/try_files.ts";
import { tunnel } from "./modules/tunnel.ts";
import { upstream } from "./modules/upstream.ts";
import { hash } from "./modules/upstream_hash.ts";
import { healthCheck } from "./modules/upstream_hc.ts";
import { ipHash } from "./modules/upstream_ip_hash.ts";
import { leastConn } from "./modules/upstream_least_conn.ts";
import { leastTime } from "./modules/upstream_least_time.ts";
import { random } from "./modules/upstream_random.ts";
import { sticky } from "./modules/upstream_sticky.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import { userid } from "./modules/userid.ts";
import { uwsgi } from "./modules/uwsgi.ts";
import { zstd } from "./modules/zstd.ts";
import { zstdStatic } from "./modules/zstd_static.ts";
import type { Request } from "./request.ts";

/** What `process/` binds a configuration against. */
export const httpModules: readonly HttpModule[] = [
  httpMain,
  coreServer,
  core,
  log,
  chunked,
  range,
  gzip,
  // Where both have been added to nginx, what comes last is asked first: zstd, then brotli, then gzip.
  brotli,
  zstd,
  ssi,
  charset,
  sub,
  addition,
  gunzip,
  userid,
  headers,
  notModified,
  slice,
  staticFiles,
  gzipStatic,
  brotliStatic,
  zstdStatic,
  dav,
  autoindex,
  index,
  randomIndex,
  mirror,
  tryFiles,
  authRequest,
  authBasic,
  access,
  limitConn,
  limitReq,
  realip,
  geo,
  map,
  splitClients,
  referer,
  stubStatus,
  upstream,
  proxy,
  fastcgi,
  uwsgi,
  scgi,
  memcached,
  tunnel,
  emptyGif,
  browser,
  secureLink,
  flv,
  mp4,
  hash,
  ipHash,
  leastConn,
  leastTime,
  random,
  sticky,
  upstreamZone,
  healthCheck,
  rewrite,
] as unknown as readonly HttpModule[];

/** All variables for people, by the modules that bring them. */
export function describeVariables(): readonly VariableWords[] {
  const core = { name: "http core", variables: CORE_VARIABLES, prefixes: CORE_PREFIXES };
  return [core, ...httpModules].flatMap(({ name: module, variables = [], prefixes = [] }) => [
    ...variables.map(({ name, doc, set, isChangeable = false }) => {
      const canBeSet = isChangeable || set !== undefined;
      return { name, isFamily: false, canBeSet, module, doc };
    }),
    ...prefixes.map(({ prefix, doc }) => ({ name: prefix, isFamily: true, canBeSet: false, module, doc })),
  ]);
}

/** A fresh set of all variables, for one configuration. */
export function httpVariables(): Variables<Request> {
  const variables = [...CORE_VARIABLES, ...httpModules.flatMap((module) => module.variables ?? [])];
  const prefixes = [...CORE_PREFIXES, ...httpModules.flatMap((module) => module.prefixes ?? [])];
  return new Variables<Request>(variables, prefixes, {
    log: ({ connection }, level, message) => connection.logError(level, message),
    warns: ({ location }) => location.scope.conf(rewrite).uninitialized_variable_warn,
  });
}
