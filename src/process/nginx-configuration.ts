/** nginx.conf (and `-g`) → what the master and the workers run: loaded, bound, checked, with its findings. */

/** nginx.conf (and `-g`) → what the master and the workers run: loaded, bound, checked, with its findings. */
import os from "node:os";
import { type Bound, bind } from "../conf/bind.ts";
import { catalog } from "../conf/catalog.ts";
import { COMMAND_LINE, type Diagnostic, Diagnostics } from "../conf/diagnostics.ts";
import type { Source } from "../conf/directive.ts";
import { folderOf, load, sourcesOf, withIncludes } from "../conf/nginx/load.ts";
import { parse } from "../conf/nginx/parser.ts";
import type { Scope } from "../conf/scope.ts";
import type { MadeBase } from "../conf/slot.ts";
import { fullName } from "../conf/slots.ts";
import { type ZoneDeclaration, zoneFault } from "../conf/zones.ts";
import type { LogTarget } from "../io/logging.ts";
import { errorLogModule } from "../net/error-log.ts";
import { threadPoolModule } from "../net/thread-pools.ts";
import { findGroup, findUser } from "../os/accounts.ts";
import { type CoreConf, coreModule } from "./core-module.ts";
import { type EventsConf, eventCoreModule, eventsModule } from "./events-module.ts";
import type { ConfigurationSource } from "./recorded-files.ts";
import { type ServiceKind, type ServicePlan, variableRules } from "./service-kind.ts";

/** Where a program that is given no paths looks, as nginx has them from `./configure`. Relative ones begin at the prefix. */
export interface Layout {
  /** Ends with a slash. */
  readonly prefix: string;
  readonly confPath: string;
  readonly errorLogPath: string;
  readonly pidPath: string;
}

/** What is to be loaded. */
export interface ConfigurationRequest {
  readonly layout: Layout;
  /** `-g`: directives in front of the file's. */
  readonly globalDirectives: string;
}

/** Whose rights workers take; undefined when the master isn't root. */
export interface WorkerUser {
  readonly name: string;
  readonly userId: number;
  readonly groupId: number;
}

/** A configuration that can be run. */
export interface NginxConfiguration {
  readonly file: string;
  readonly main: Scope;
  readonly core: CoreConf;
  readonly events: EventsConf;
  readonly pidPath: string;
  readonly workerCount: number;
  readonly workerUser: WorkerUser | undefined;
  readonly logTargets: readonly LogTarget[];
  /** Of each service, in the order of the kinds. */
  readonly plans: readonly ServicePlan[];
  /** Memory that the workers share; every zone has its size. */
  readonly zones: readonly ZoneDeclaration[];
}

export interface LoadedConfiguration {
  /** Undefined when a finding is fatal. */
  readonly configuration: NginxConfiguration | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** What is wrong though every directive is right: found when nginx has said "syntax is ok" already. */
  readonly lateDiagnostics: readonly Diagnostic[];
  /** Every file that was read, each once, for `-T`. */
  readonly sources: readonly Source[];
  /** Binary bases to be written, if it can be run. */
  readonly bases: readonly MadeBase[];
}

/** The absolute path of the main file. */
export function configurationFile({ prefix, confPath }: Layout): string {
  return fullName(confPath, prefix);
}

/** Loads, binds and checks. Never throws for what is in the files. */
export function loadNginxConfiguration(
  request: ConfigurationRequest,
  kinds: readonly ServiceKind[],
  reader: ConfigurationSource,
): LoadedConfiguration {
  const { layout, globalDirectives } = request;
  const file = configurationFile(layout);
  const sources: Source[] = [];
  if (globalDirectives !== "") {
    const given = parse(globalDirectives, { file: COMMAND_LINE, isCommandLine: true });
    sources.push(withIncludes(given, reader, folderOf(file)));
  }
  const main = load(file, reader);
  sources.push(main);
  const bound = bind(sources, nginxCatalog(kinds), {
    prefix: layout.prefix,
    confPrefix: folderOf(file),
    lookUp: reader.lookUp,
    hostName: os.hostname().toLowerCase(),
    ...variableRules(kinds),
    lackOf: (need) => kinds.map((kind) => kind.lackOf?.(need)).find((lack) => lack !== undefined),
  });
  const diagnostics = new Diagnostics();
  for (const diagnostic of bound.diagnostics) diagnostics.add(diagnostic);
  const lateDiagnostics: Diagnostic[] = [];
  if (bound.isUsable && bound.main.conf(eventsModule).events === undefined) {
    lateDiagnostics.push({ severity: "emerg", message: 'no "events" section in configuration' });
  }
  const zoneless = bound.isUsable ? zoneFault(bound.zones) : undefined;
  if (zoneless !== undefined) lateDiagnostics.push(zoneless);
  const found = bound.isUsable ? finish(bound, request, kinds, diagnostics) : undefined;
  const configuration = lateDiagnostics.length === 0 ? found : undefined;
  const bases = configuration === undefined ? [] : bound.bases;
  return { configuration, diagnostics: diagnostics.list, lateDiagnostics, sources: sourcesOf(main), bases };
}

/** Every directive that the nginx half knows. */
export function nginxCatalog(kinds: readonly ServiceKind[]) {
  return catalog([
    coreModule,
    errorLogModule,
    threadPoolModule,
    eventsModule,
    eventCoreModule,
    ...kinds.flatMap((kind) => kind.modules),
  ]);
}

function finish(
  { main, zones }: Bound,
  { layout }: ConfigurationRequest,
  kinds: readonly ServiceKind[],
  diagnostics: Diagnostics,
): NginxConfiguration | undefined {
  const core = main.conf(coreModule);
  const events = main.conf(eventsModule).events;
  const user = resolveUser(main, diagnostics);
  if (!core.master_process) {
    diagnostics.report(
      "emerg",
      '"master_process off" is not supported',
      main.origin(coreModule, "master_process")?.positions[0],
    );
  }
  const plans = kinds.map((kind) =>
    kind.plan(main, (severity, message, position) => diagnostics.report(severity, message, position)),
  );
  if (diagnostics.fatalCount > 0 || events === undefined) return undefined;
  const targets = main.conf(errorLogModule).error_log;
  return {
    file: configurationFile(layout),
    main,
    core,
    events: events.scope.conf(eventCoreModule),
    pidPath: core.pid ?? fullName(layout.pidPath, layout.prefix),
    workerCount: core.worker_processes === "auto" ? os.availableParallelism() : core.worker_processes,
    workerUser: user,
    logTargets: targets.length > 0 ? targets : [defaultLogTarget(layout)],
    plans,
    zones,
  };
}

/** The log that is used where the configuration names none: nginx's `-e`. */
export function defaultLogTarget({ errorLogPath, prefix }: Layout): LogTarget {
  if (errorLogPath === "stderr") return { kind: "stderr", level: "error" };
  return { kind: "file", path: fullName(errorLogPath, prefix), level: "error" };
}

/** Looks the names up as nginx does, when root starts it. */
function resolveUser(main: Scope, diagnostics: Diagnostics): WorkerUser | undefined {
  const names = main.conf(coreModule).user;
  const position = main.origin(coreModule, "user")?.positions[0];
  if (process.geteuid?.() !== 0) {
    if (names !== undefined) {
      const sense = 'the "user" directive makes sense only if the master process runs with super-user privileges';
      diagnostics.report("warn", `${sense}, ignored`, position);
    }
    return undefined;
  }
  const userName = names?.user ?? "nobody";
  const user = findUser(userName);
  if (user === undefined) {
    diagnostics.report("emerg", `getpwnam("${userName}") failed`, position);
    return undefined;
  }
  // Debian's nobody belongs to nogroup: nginx learns that from ./configure, we from the account itself.
  const groupId = names === undefined ? user.groupId : findGroup(names.group);
  if (groupId === undefined) {
    diagnostics.report("emerg", `getgrnam("${names?.group}") failed`, position);
    return undefined;
  }
  return { name: userName, userId: user.userId, groupId };
}
