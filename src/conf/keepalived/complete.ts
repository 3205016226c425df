/**
 * From what was written to what it means: globals folded in, keepalived's rules about what goes together applied with
 * keepalived's words. keepalived: vrrp_complete_instance and vrrp_complete_init in vrrp.c.
 */

import { completeBfds } from "./bfd.ts";
import { freezeCommand } from "./commands.ts";
import { completeGlobals, multicastGroupOf } from "./complete-globals.ts";
import { completeGroups, joinGroups } from "./complete-groups.ts";
import { completeInstance } from "./complete-instance.ts";
import { LinkAssignment } from "./complete-virtual-links.ts";
import type { KeepalivedConfig, ScriptUser, TrackFile, VrrpScript, VrrpTrackProcess } from "./config.ts";
import type { ConfigDraft, FileDraft, InstanceDraft, ProcessDraft, ScriptDraft } from "./drafts.ts";
import { usableDelays } from "./link-delays.ts";
import { completeServerGroups, completeVirtualServers } from "./lvs/complete.ts";
import { checkServerScripts, dropScriptsWithoutUser } from "./lvs/scripts.ts";
import type { Machine, ScriptState } from "./machine.ts";
import { commandsOf } from "./notifies.ts";
import type { Report } from "./report.ts";
import { completeStatics } from "./statics.ts";

/** The finished configuration, and whether scripts run without the security check (`-t` ends with 6). */
export interface Completed {
  readonly config: KeepalivedConfig;
  readonly isSecurityViolation: boolean;
}

/** Completes a draft. What keepalived would not get to say is not said: it ends at the first thing that stops it. */
export function complete(draft: ConfigDraft, machine: Machine | undefined, tell: Report): Completed {
  let isOver = false;
  const report: Report = (severity, message, position) => {
    if (!isOver) tell(severity, message, position);
    if (severity === "error") isOver = true;
  };
  dropScriptsWithoutUser(draft, machine, DEFAULT_SCRIPT_USER, tell);
  const isMissing = isInterfaceMissing(draft, machine);
  if (isMissing) report("error", "Non-existent interface specified in configuration");
  let isSecurityViolation = checkScripts(draft, machine, report) && !isMissing;
  const nameless = draft.instances.find(({ virtualRouterId }) => virtualRouterId === undefined);
  if (nameless !== undefined) report("error", `(${nameless.name}) the virtual router id must be set`);
  const scripts = draft.scripts.map(completeScript);
  // keepalived looks at the groups first, but they need what becomes of their members.
  const later: Parameters<Report>[] = [];
  const links = new LinkAssignment(draft, machine);
  const completed = draft.instances.map((one) => completeInstance(one, draft, links, (...said) => later.push(said)));
  const { groups, groupOf } = completeGroups(draft, completed, report);
  for (const said of later) report(...said);
  const instances = joinGroups(completed, groups, groupOf, report);
  if (!isOver) reportSharedIds(draft, tell);
  // Another process of keepalived's, which what stops the VRRP process does not concern.
  const virtualServers = completeVirtualServers(draft, tell, (servers) => {
    if (checkServerScripts(draft, servers, machine, (user) => scriptUserName(user, draft, machine), tell))
      isSecurityViolation = true;
  });
  const config: KeepalivedConfig = {
    globals: completeGlobals(draft.globals, draft.ssl),
    scripts: Object.freeze(scripts),
    trackProcesses: Object.freeze(draft.processes.map(completeProcess)),
    trackFiles: Object.freeze(draft.files.map(completeFile)),
    bfds: completeBfds(draft.bfds),
    syncGroups: groups,
    instances,
    statics: completeStatics(draft, report),
    garpGroups: Object.freeze([...draft.garpGroups]),
    linkDelays: usableDelays(draft.linkDelays, instances, tell),
    virtualServers,
    serverGroups: completeServerGroups(draft),
  };
  return { config: Object.freeze(config), isSecurityViolation };
}

/** Who a script runs as. */
function scriptUserName(user: ScriptUser | undefined, { globals }: ConfigDraft, machine: Machine | undefined): string {
  const fallback = machine?.hasUser(DEFAULT_SCRIPT_USER) ? DEFAULT_SCRIPT_USER : "root";
  return (user ?? globals.scriptUser)?.user ?? fallback;
}

/** Takes out scripts that can't or mustn't run, wherever they are tracked; true when one runs without the check. */
function checkScripts(draft: ConfigDraft, machine: Machine | undefined, report: Report): boolean {
  const { globals } = draft;
  const isSecure = globals.enableScriptSecurity === true;
  const stateOf = (script: ScriptDraft): ScriptState => {
    const [program = ""] = script.command?.argv ?? [];
    if (!program.startsWith("<"))
      return machine?.scriptState(program, scriptUserName(script.user, draft, machine)) ?? "ok";
    // What only a shell understands; keepalived gives it to /bin/sh, which does not everywhere.
    report("notice", `'${program}' is no program: write "bash -c '${program}'"`, script.command?.at);
    return "ok";
  };
  let isInsecure = false;
  let isAnyRun = false;
  for (const script of [...draft.scripts]) {
    const state = stateOf(script);
    if (state === "missing" || (state === "insecure" && isSecure)) {
      const reason = state === "missing" ? "since not found/accessible" : "due to insecure";
      report("warn", `Disabling track script ${script.name} ${reason}`);
      removeScript(draft, script);
      continue;
    }
    isAnyRun = true;
    if (state === "insecure") isInsecure = true;
  }
  const others = [...draft.instances, ...draft.groups].flatMap(commandsOf).filter(({ argv, user }) => {
    const name = (user ?? globals.scriptUser)?.user ?? "root";
    return machine === undefined || (machine.hasUser(name) && machine.scriptState(argv[0] ?? "", name) !== "missing");
  });
  const { notifyFifoScript, vrrpNotifyFifoScript } = globals;
  // Without an instance there is no VRRP process that would start their readers.
  const isReader = draft.instances.length > 0 && (notifyFifoScript ?? vrrpNotifyFifoScript) !== undefined;
  const isAny = isAnyRun || others.length > 0 || isReader;
  const message = (what: string): string =>
    `SECURITY VIOLATION - ${what}scripts are being executed but script_security not enabled.`;
  const isEdge = globals.startupScript !== undefined || globals.shutdownScript !== undefined;
  if (isSecure || !(isAny || isEdge)) return false;
  if (isEdge) report("notice", message("start/shutdown "));
  if (isAny) report("notice", `${message("")}${isInsecure ? " There are insecure scripts." : ""}`);
  return true;
}

/** Who scripts run as when nobody says, if there is such a user. */
export const DEFAULT_SCRIPT_USER = "keepalived_script";

function removeScript(draft: ConfigDraft, script: ScriptDraft): void {
  draft.scripts.splice(draft.scripts.indexOf(script), 1);
  for (const { tracks } of [...draft.instances, ...draft.groups]) {
    const index = tracks.scripts.findIndex(({ name }) => name === script.name);
    if (index >= 0) tracks.scripts.splice(index, 1);
  }
}

function completeScript(draft: ScriptDraft): VrrpScript {
  const intervalMs = draft.intervalMs ?? 1000;
  return Object.freeze({
    name: draft.name,
    // A script without a command has been removed when its block ended.
    command: freezeCommand({ ...(draft.command as NonNullable<typeof draft.command>), user: draft.user }),
    intervalMs,
    timeoutMs: draft.timeoutMs ?? intervalMs,
    weight: draft.weight ?? 0,
    weightReverse: draft.weightReverse ?? false,
    rise: draft.rise ?? 1,
    fall: draft.fall ?? 1,
    initFail: draft.initFail ?? false,
    at: draft.at,
    where: draft.where,
  });
}

function completeProcess(draft: ProcessDraft): VrrpTrackProcess {
  return Object.freeze({
    name: draft.name,
    process: draft.process as string,
    parameters: Object.freeze([...(draft.parameters ?? [])]),
    parameterMatch: draft.parameterMatch ?? (draft.parameters?.length ? "exact" : "any"),
    weight: draft.weight ?? 0,
    weightReverse: draft.weightReverse ?? false,
    quorum: draft.quorumMax === 0 ? 0 : (draft.quorum ?? 1),
    quorumMax: draft.quorumMax ?? Number.POSITIVE_INFINITY,
    forkDelayMs: draft.forkDelayMs ?? 0,
    terminateDelayMs: draft.terminateDelayMs ?? 0,
    // Parameters are only seen in the whole command line.
    fullCommand: draft.fullCommand === true || (draft.parameters?.length ?? 0) > 0,
    at: draft.at,
    where: draft.where,
  });
}

function completeFile(draft: FileDraft): TrackFile {
  return Object.freeze({
    name: draft.name,
    path: draft.path as string,
    weight: draft.weight ?? 1,
    weightReverse: draft.weightReverse ?? false,
    initialise: draft.initialise,
    at: draft.at,
    where: draft.where,
  });
}

/** Two instances of one family with one id on one interface answer each other; keepalived does not start. */
function reportSharedIds({ instances, globals }: ConfigDraft, report: Report): void {
  const groupOf = ({ multicastGroup, family = 4 }: InstanceDraft): string =>
    (multicastGroup ?? multicastGroupOf(globals, family)).join();
  for (const [index, first] of instances.entries()) {
    for (const second of instances.slice(index + 1)) {
      if (first.interface === undefined || first.interface !== second.interface) continue;
      if (first.virtualRouterId === undefined || first.virtualRouterId !== second.virtualRouterId) continue;
      if ((first.family ?? 4) !== (second.family ?? 4) || groupOf(first) !== groupOf(second)) continue;
      // Unicast instances talk to their own peers only.
      if (first.unicastPeers.length > 0 || second.unicastPeers.length > 0) continue;
      const { name, virtualRouterId, family = 4, interface: device } = first;
      const message = `${name} and ${second.name} both use VRID ${virtualRouterId} with IPv${family} on interface ${device}`;
      report("error", message);
    }
  }
}

function isInterfaceMissing(draft: ConfigDraft, machine: Machine | undefined): boolean {
  if (draft.globals.dynamicInterfaces === true) return false;
  const names = draft.instances.flatMap((instance) => [
    instance.interface,
    ...[...instance.addresses, ...instance.excludedAddresses].map((address) => address.interface),
  ]);
  names.push(...draft.staticAddresses.map((address) => address.interface));
  const isMissing = names.some((name) => name !== undefined && machine?.interfaceState(name) === "absent");
  return isMissing || draft.isTrackedInterfaceMissing === true;
}
