/** What is checked: one node or a pair, each with its configuration and its scripts, and perhaps the machine itself. */

import type { Diagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig, Position, Track, VrrpInstance, VrrpScript } from "../conf/keepalived/config.ts";
import type { NodeFacts } from "./facts.ts";
import type { Place } from "./finding.ts";
import type { NginxView } from "./nginx-view.ts";
import { eachCommand, type Script } from "./shell.ts";
import { type Outcome, runScript } from "./shell-run.ts";

/** A script of a `vrrp_script`, as far as it could be read. */
export interface CheckedScript {
  readonly script: VrrpScript;
  /** Where it will be looked for. */
  readonly path: string;
  /** The file that was read for it, which may be a copy beside the configuration; undefined: not found. */
  readonly source: string | undefined;
  readonly text: string | undefined;
  readonly shell: Script | undefined;
  /** The program that it looks after. */
  readonly service: string;
  /** What it does; undefined when it could not be read. */
  readonly runs: ScriptRuns | undefined;
}

/** A script in the three situations that matter. */
export interface ScriptRuns {
  readonly whileUp: Result;
  readonly whileRestartable: Result;
  readonly whileBroken: Result;
}

/** What keepalived will see. */
export interface Result {
  readonly outcomes: readonly Outcome[];
  /** The same on all ways, or undefined. */
  readonly verdict: "success" | "failure" | undefined;
  /** True when all ways end keepalived before the script's time is up. */
  readonly stopsKeepalived: boolean;
  /** Seconds until the result is there, at most, when nothing has to be waited for. */
  readonly seconds: number;
  /** It asks the service and waits for an answer. */
  readonly asks: boolean;
}

/** One node. */
export interface CheckedNode {
  /** What people call it: `router_id`, else the file. */
  readonly label: string;
  /** Its keepalived.conf; "" without. */
  readonly file: string;
  readonly config: KeepalivedConfig;
  readonly diagnostics: readonly Diagnostic[];
  /** True when the file could not be read at all. */
  readonly isUnread: boolean;
  readonly scripts: readonly CheckedScript[];
  readonly nginx: NginxView | undefined;
}

/** The same virtual router on both nodes. */
export interface InstancePair {
  readonly a: VrrpInstance;
  readonly b: VrrpInstance;
  readonly nodeA: CheckedNode;
  readonly nodeB: CheckedNode;
}

/** What only running nodes know, of themselves and of each other. */
export interface Live {
  readonly version: string;
  readonly peerVersion: string;
  /** The peer's clock less that of the node; undefined: not compared yet. */
  readonly clock: { readonly offsetMs: number; readonly roundTripMs: number } | undefined;
  /** Files that are on disk as they were read no longer. */
  readonly stale: readonly string[];
  readonly peerStale: readonly string[];
}

/** Everything that rules look at. */
export interface Subject {
  readonly node: CheckedNode;
  readonly peer: CheckedNode | undefined;
  readonly pairs: readonly InstancePair[];
  /** The text of each file that was read, for showing lines. */
  readonly texts: ReadonlyMap<string, string>;
  /** The machine that the check runs on; undefined with `--offline`. */
  readonly facts: NodeFacts | undefined;
  /** undefined: files are checked, whoever runs them. */
  readonly live: Live | undefined;
  /** True when the machine is `node`: then what is missing here is missing for good. */
  readonly isHere: boolean;
}

/** Both nodes, or the only one. */
export function nodesOf({ node, peer }: Subject): readonly CheckedNode[] {
  return peer === undefined ? [node] : [node, peer];
}

/** Finds the partner of each instance: by id and family, else by name, else the only ones. */
export function pairInstances(nodeA: CheckedNode, nodeB: CheckedNode): readonly InstancePair[] {
  const theirs = nodeB.config.instances;
  return nodeA.config.instances.flatMap((a) => {
    const b =
      theirs.find((one) => one.virtualRouterId === a.virtualRouterId && one.family === a.family) ??
      theirs.find(({ name }) => name === a.name) ??
      (theirs.length === 1 && nodeA.config.instances.length === 1 ? theirs[0] : undefined);
    return b === undefined ? [] : [{ a, b, nodeA, nodeB }];
  });
}

/** What a script looks after: nginx if it speaks of it, else the program that it asks about. */
export function serviceOf(shell: Script): string {
  let service: string | undefined;
  let isNginx = false;
  eachCommand(shell.list, ({ words }) => {
    const [program = "", ...args] = words.map(({ source }) => source.replace(/^["']|["']$/g, ""));
    if ([program, ...args].some((word) => word.includes("nginx"))) isNginx = true;
    if (!/(^|\/)(killall|pkill|pidof|pgrep|systemctl)$/.test(program)) return;
    const name = args.find(
      (word) =>
        /^[\w./@-]+$/.test(word) && !/^-|^(is-active|status|start|restart|stop|keepalived(\.service)?)$/.test(word),
    );
    if (name !== undefined) service ??= name.slice(name.lastIndexOf("/") + 1).replace(/\.service$/, "");
  });
  return isNginx ? "nginx" : (service ?? "nginx");
}

/** Walks a script through the three situations. */
export function scriptRuns(shell: Script, path: string, timeoutMs: number): ScriptRuns {
  const service = serviceOf(shell);
  const run = (isServiceRunning: boolean, canStart: boolean): Result => {
    const world = { service, isServiceRunning, canStart, scriptPath: path };
    const outcomes = runScript(shell, world, timeoutMs / 1000);
    const verdicts = new Set(
      outcomes.map(({ status }) => (status === undefined ? undefined : status === 0 ? "success" : "failure")),
    );
    return {
      outcomes,
      verdict: verdicts.size === 1 ? [...verdicts][0] : undefined,
      stopsKeepalived:
        outcomes.length > 0 && outcomes.every(({ deeds }) => deeds.some(({ kind }) => kind === "stop-keepalived")),
      asks: outcomes.some(({ deeds }) => deeds.some(({ kind }) => kind === "ask")),
      seconds: Math.max(0, ...outcomes.map(({ seconds }) => Math.min(seconds, timeoutMs / 1000))),
    };
  };
  return { whileUp: run(true, true), whileRestartable: run(false, true), whileBroken: run(false, false) };
}

/** Where a keyword of an instance or script was written, else where its block begins. */
export function placeOf(
  thing: { readonly where: ReadonlyMap<string, Position>; readonly at: Position },
  ...keywords: readonly string[]
): Place {
  for (const keyword of keywords) {
    const position = thing.where.get(keyword);
    if (position !== undefined) return position;
  }
  return thing.at;
}

/** Everything that instances and groups of a node track by `track_upstream`. */
export function trackedUpstreams({ config }: CheckedNode): readonly Track[] {
  return [...config.instances, ...config.syncGroups].flatMap(({ tracks }) => tracks.upstreams);
}

/** The scripts that an instance (or its group) tracks, with the weight that counts. */
export function trackedScripts(
  node: CheckedNode,
  instance: VrrpInstance,
): readonly { readonly checked: CheckedScript; readonly weight: number; readonly reverse: boolean }[] {
  const group = node.config.syncGroups.find(({ name }) => name === instance.syncGroup);
  return [...instance.tracks.scripts, ...(group?.tracks.scripts ?? [])].flatMap(({ name, weight, weightReverse }) => {
    const checked = node.scripts.find(({ script }) => script.name === name);
    return checked === undefined ? [] : [{ checked, weight, reverse: weightReverse }];
  });
}
