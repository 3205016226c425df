/**
 * What the processes know of a service: which directives it has, what a configuration needs of the master, and how a worker
 * runs it. One `ServiceKind` per service (http; later stream, mail); the master and the workers are given a list of them.
 */

import type { VariableWords } from "../conf/describe.ts";
import type { Scope } from "../conf/scope.ts";
import type { ConfModule, Directives, Environment, Report } from "../conf/slot.ts";
import type { ListenSpec } from "../io/listen.ts";
import type { Service } from "../io/service.ts";
import type { ServiceWorld } from "../net/service-world.ts";

/** What configurations may say of variables, for all services. */
export function variableRules(kinds: readonly ServiceKind[]): Required<Pick<Environment, "isVariable" | "isConstant">> {
  const kindOf = (service: string): ServiceKind | undefined => kinds.find(({ name }) => name === service);
  return {
    isVariable: (name, service) => kindOf(service)?.isVariable?.(name) ?? false,
    isConstant: (name, service) => kindOf(service)?.isConstant?.(name) ?? false,
  };
}

/** What a worker lends to its services; `commonPorts` adds what is the same for all workers. */
export interface ServicePorts
  extends Omit<
    ServiceWorld,
    "compression" | "random" | "timezoneOffset" | "processId" | "hostName" | "maxConnections"
  > {
  readonly workerConnections: number;
}

/** What the master has to prepare for a service. */
export interface ServicePlan {
  readonly listens: readonly ListenSpec[];
  /** Absolute paths of files that workers append to: created, and given to the workers' user, before they lose root. */
  readonly logFiles: readonly string[];
  /** An error log of the service goes to standard error, which must not lead elsewhere then. */
  readonly usesStandardError?: boolean;
  /** Absolute paths of folders for temporary files: made, and given to the workers' user. */
  readonly folders?: readonly string[];
  /** Upstreams that VRRP can follow: those whose workers share what they know. */
  readonly sharedUpstreams?: readonly string[];
  /** There are caches that one process keeps in order for all. */
  readonly hasCaches?: boolean;
}

export interface ServiceKind {
  /** Of its block in the main context. */
  readonly name: string;
  readonly modules: readonly ConfModule<Directives>[];
  /** Variables that need no definition, for people. */
  readonly variables?: readonly VariableWords[];
  /** Whether a variable (lower case) exists that no directive of the configuration defines. */
  isVariable?(name: string): boolean;
  /** Whether a variable (lower case) is one that a configuration may not define or set. */
  isConstant?(name: string): boolean;
  /** What this machine lacks for something optional that the service may be asked for. */
  lackOf?(need: string): string | undefined;
  /** What is wrong across servers (two default servers for one address, …) is reported with its place. */
  plan(main: Scope, report: Report): ServicePlan;
  /** Builds the service while the worker still has the master's rights: its log files are opened now. */
  create(main: Scope, ports: ServicePorts): Service;
  /** What the process runs instead that keeps caches in order. */
  createCacheKeeper?(main: Scope, ports: ServicePorts): Service;
}
