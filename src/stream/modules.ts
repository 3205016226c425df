/** All modules in the order that nginx registers them: the handlers of a phase are asked from the last to the first. */
import type { VariableWords } from "../conf/describe.ts";
import { Variables } from "../net/variables.ts";
import { CORE_PREFIXES, CORE_VARIABLES } from "./core-variables.ts";
import type { StreamModule } from "./module.ts";
import { access } from "./modules/access.ts";
import { core, coreServer, streamMain } from "./modules/core.ts";
import { geo } from "./modules/geo.ts";
import { limitConn } from "./modules/limit_conn.ts";
import { log } from "./modules/log.ts";
import { map } from "./modules/map.ts";
import { proxy } from "./modules/proxy.ts";
import { realip } from "./modules/realip.ts";
import { returnText } from "./modules/return.ts";
import { set } from "./modules/set.ts";
import { splitClients } from "./modules/split_clients.ts";
import { sslPreread } from "./modules/ssl_preread.ts";
import { upstream } from "./modules/upstream.ts";
import { hash } from "./modules/upstream_hash.ts";
import { leastConn } from "./modules/upstream_least_conn.ts";
import { leastTime } from "./modules/upstream_least_time.ts";
import { random } from "./modules/upstream_random.ts";
import { upstreamZone } from "./modules/upstream_zone.ts";
import type { Session } from "./session.ts";

/** What `process/` binds a configuration against. */
export const streamModules: readonly StreamModule[] = [
  streamMain,
  coreServer,
  core,
  log,
  proxy,
  upstream,
  realip,
  limitConn,
  access,
  geo,
  map,
  splitClients,
  returnText,
  set,
  hash,
  leastConn,
  leastTime,
  random,
  upstreamZone,
  sslPreread,
] as unknown as readonly StreamModule[];

/** All variables for people, by the modules that bring them. */
export function describeVariables(): readonly VariableWords[] {
  const core = { name: "stream core", variables: CORE_VARIABLES, prefixes: CORE_PREFIXES };
  return [core, ...streamModules].flatMap(({ name: module, variables = [], prefixes = [] }) => [
    ...variables.map(({ name, doc, set, isChangeable = false }) => {
      const canBeSet = isChangeable || set !== undefined;
      return { name, isFamily: false, canBeSet, module, doc };
    }),
    ...prefixes.map(({ prefix, doc }) => ({ name: prefix, isFamily: true, canBeSet: false, module, doc })),
  ]);
}

/** A fresh set of all variables, for one configuration. */
export function streamVariables(): Variables<Session> {
  const variables = [...CORE_VARIABLES, ...streamModules.flatMap((module) => module.variables ?? [])];
  const prefixes = [...CORE_PREFIXES, ...streamModules.flatMap((module) => module.prefixes ?? [])];
  return new Variables<Session>(variables, prefixes, {
    log: (session, level, message) => session.logError(level, message),
    warns: () => true,
  });
}
