/** The HTTP service as the processes know it: joins `src/http` with Node's clocks, names and randomness. */
import type { Scope } from "../conf/scope.ts";
import type { ConfModule, Directives, Report } from "../conf/slot.ts";
import { CacheKeeper } from "../http/cache-keeper.ts";
import { createHttpService } from "../http/http-service.ts";
import { core, httpMain } from "../http/modules/core.ts";
import { accessLogFiles, log } from "../http/modules/log.ts";
import { upstream } from "../http/modules/upstream.ts";
import { upstreamZone } from "../http/modules/upstream_zone.ts";
import { describeVariables, httpModules, httpVariables } from "../http/modules.ts";
import { planHttp } from "../http/plan.ts";
import type { HttpPorts } from "../http/service.ts";
import { cacheLinesOf, upstreamFolders } from "../http/upstream-modules.ts";
import { lackOf } from "../os/compression.ts";
import { SystemCrypt } from "../os/crypt.ts";
import { formatTime } from "../os/format-time.ts";
import { kernelLockHost } from "../os/shared-memory.ts";
import { commonPorts, idleService } from "./common-ports.ts";
import type { ServiceKind, ServicePlan, ServicePorts } from "./service-kind.ts";

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Contradictions have been reported when the configuration was checked. */
const ignoreReport: Report = () => {};

/**
 * Log files of a scope and all inside it. What the http block itself would log to by default doesn't count: its servers may
 * all log elsewhere, and nginx leaves no empty file then.
 */
function logFiles(scope: Scope): readonly string[] {
  const isUsed = scope.context !== "http" || scope.own(log).access_log !== undefined;
  const errors = scope.conf(core).error_log.flatMap((target) => (target.kind === "file" ? [target.path] : []));
  return [...errors, ...(isUsed ? accessLogFiles(scope) : []), ...scope.children.flatMap(logFiles)];
}

function usesStandardError(scope: Scope): boolean {
  return scope.conf(core).error_log.some(({ kind }) => kind === "stderr") || scope.children.some(usesStandardError);
}

/** Folders that workers write to, of a scope and all inside it: for temporary files and caches. */
function temporaryFolders(scope: Scope): readonly string[] {
  const own = [scope.conf(core).client_body_temp_path, ...upstreamFolders(scope)];
  return [...own.flatMap((folder) => folder?.path ?? []), ...scope.children.flatMap(temporaryFolders)];
}

function sharedUpstreams(http: Scope): readonly string[] {
  return http
    .conf(upstream)
    .upstream.filter(({ scope }) => scope.own(upstreamZone).zone !== undefined)
    .map(({ header }) => header);
}

function httpPorts(ports: ServicePorts): HttpPorts {
  return {
    ...commonPorts(ports),
    crypt: new SystemCrypt(),
    formatTime,
    isAlive: (processId) => kernelLockHost.isAlive(processId),
  };
}

/** `http { … }` */
export function httpKind(): ServiceKind {
  const variables = httpVariables();
  return {
    name: "http",
    modules: httpModules as readonly ConfModule<Directives>[],
    variables: describeVariables(),
    isVariable: (name) => variables.has(name),
    isConstant: (name) => variables.isConstant(name),
    lackOf: (need) => (need === "brotli" || need === "zstd" ? lackOf(need) : undefined),
    plan(main, report): ServicePlan {
      const plan = planHttp(main, isRoot(), report);
      if (plan === undefined) return { listens: [], logFiles: [] };
      return {
        listens: plan.sockets.map(({ spec }) => spec),
        logFiles: [...new Set(logFiles(plan.http))],
        folders: [...new Set(temporaryFolders(plan.http))],
        sharedUpstreams: sharedUpstreams(plan.http),
        usesStandardError: usesStandardError(plan.http),
        hasCaches: cacheLinesOf(plan.http).length > 0,
      };
    },
    create(main, ports) {
      const plan = planHttp(main, isRoot(), ignoreReport);
      return plan === undefined ? idleService : createHttpService(plan, httpPorts(ports));
    },
    createCacheKeeper(main, ports) {
      const http = main.conf(httpMain).http?.scope;
      return new CacheKeeper(http === undefined ? [] : cacheLinesOf(http), httpPorts(ports));
    },
  };
}
