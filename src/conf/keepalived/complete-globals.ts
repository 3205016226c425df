/** `global_defs` with its defaults, and what instances take from it. */
import { parseIp } from "../../base/ip.ts";
import type { CommandDraft } from "./commands.ts";
import { freezeCommand } from "./commands.ts";
import type { AnnounceSettings, Globals, NotifyFifo } from "./config.ts";
import type { FifoDraft, GlobalsDraft, InstanceDraft } from "./drafts.ts";
import { DEFAULT_FLIGHT_FILES } from "./flight.ts";
import type { LvsGlobals } from "./lvs/config.ts";
import type { SslDraft } from "./lvs/drafts.ts";
import { completeMail } from "./mail.ts";
import { DEFAULT_HANDOVER_LIMIT_MS, DEFAULT_PEER_PORT } from "./peer.ts";

const SECOND = 1000;
/** keepalived's defaults. */
const GARP_DELAY_MS = 5 * SECOND;
const GARP_REPEAT = 5;
const SCRIPT_TIMEOUT_MS = 10 * SECOND;
const CHILD_WAIT_MS = 5 * SECOND;

/** The frozen form. */
export function completeGlobals(draft: GlobalsDraft, ssl: SslDraft | undefined): Globals {
  return Object.freeze({
    routerId: draft.routerId,
    scriptUser: draft.scriptUser,
    enableScriptSecurity: draft.enableScriptSecurity ?? false,
    startupScript: commandOf(draft.startupScript),
    startupScriptTimeoutMs: draft.startupScriptTimeoutMs ?? SCRIPT_TIMEOUT_MS,
    shutdownScript: commandOf(draft.shutdownScript),
    shutdownScriptTimeoutMs: draft.shutdownScriptTimeoutMs ?? SCRIPT_TIMEOUT_MS,
    notifyFifo: fifoOf(draft.notifyFifo, draft.notifyFifoScript),
    vrrpNotifyFifo: fifoOf(draft.vrrpNotifyFifo, draft.vrrpNotifyFifoScript),
    lvsNotifyFifo: fifoOf(draft.lvsNotifyFifo, draft.lvsNotifyFifoScript),
    writeStatesToFifoOnReload: draft.writeStatesToFifoOnReload ?? false,
    notifyPriorityChanges: draft.notifyPriorityChanges ?? false,
    startupDelayMs: draft.startupDelayMs ?? 0,
    delayAfterBootMs: draft.delayAfterBootMs ?? 0,
    dynamicInterfaces: draft.dynamicInterfaces ?? false,
    allowInterfaceChanges: draft.allowInterfaceChanges ?? false,
    disableLocalIgmp: draft.disableLocalIgmp ?? false,
    logUnknownVrids: draft.logUnknownVrids ?? false,
    childWaitMs: draft.childWaitMs ?? CHILD_WAIT_MS,
    process: Object.freeze({
      name: draft.processName,
      vrrpName: draft.vrrpProcessName,
      niceness: draft.niceness,
      realtimePriority: draft.realtimePriority,
      cpuAffinity: Object.freeze([...(draft.cpuAffinity ?? [])]),
      checker: Object.freeze({
        name: draft.checkerProcessName,
        niceness: draft.checkerNiceness,
        realtimePriority: draft.checkerRealtimePriority,
        cpuAffinity: Object.freeze([...(draft.checkerCpuAffinity ?? [])]),
      }),
    }),
    lvs: lvsGlobals(draft, ssl),
    umask: draft.umask,
    reload: Object.freeze({
      check: draft.reloadCheck,
      time: timeFileOf(draft),
      file: draft.reloadFile,
    }),
    instanceName: draft.instanceName,
    usesPidFolder: draft.usesPidFolder ?? draft.instanceName !== undefined,
    netNamespace: draft.netNamespace,
    netNamespaceIpvs: draft.netNamespaceIpvs,
    dumpFiles: Object.freeze({
      state: draft.stateDumpFile,
      stats: draft.statsDumpFile,
      json: draft.jsonDumpFile,
      jsonVersion: draft.jsonVersion === 2 ? 2 : 1,
    }),
    mail: completeMail(draft),
    peer: Object.freeze({
      key: draft.peerKey,
      port: draft.peerPort ?? DEFAULT_PEER_PORT,
      handoverLimitMs: draft.handoverLimitMs ?? DEFAULT_HANDOVER_LIMIT_MS,
    }),
    flight: Object.freeze({ folder: draft.flightFolder, files: draft.flightFiles ?? DEFAULT_FLIGHT_FILES }),
    where: draft.where,
  });
}

function timeFileOf({ reloadTimeFile: path, reloadRepeats: repeats = false }: GlobalsDraft) {
  return path === undefined ? undefined : Object.freeze({ path, repeats });
}

function lvsGlobals(draft: GlobalsDraft, ssl: SslDraft | undefined): LvsGlobals {
  return Object.freeze({
    logAllFailures: draft.checkerLogAllFailures ?? false,
    isWithoutCheckerMail: draft.isWithoutCheckerMail ?? false,
    initialNotifies: draft.rsInitNotifies ?? false,
    timeouts: Object.freeze({
      tcp: draft.lvsTcpTimeoutS ?? 0,
      tcpFin: draft.lvsTcpFinTimeoutS ?? 0,
      udp: draft.lvsUdpTimeoutS ?? 0,
    }),
    flushAtStart: draft.lvsFlush ?? false,
    flushAtStop: draft.lvsFlushOnStop ?? "no",
    tls: Object.freeze({
      password: ssl?.password,
      authorities: ssl?.ca,
      certificate: ssl?.certificate,
      key: ssl?.key,
    }),
  });
}

function commandOf(draft: CommandDraft | undefined) {
  return draft === undefined ? undefined : freezeCommand(draft);
}

function fifoOf(draft: FifoDraft | undefined, script: CommandDraft | undefined): NotifyFifo | undefined {
  return draft === undefined ? undefined : Object.freeze({ ...draft, script: commandOf(script) });
}

/** The multicast group of a family. */
export function multicastGroupOf(globals: GlobalsDraft, family: 4 | 6): Uint8Array {
  const configured = family === 4 ? globals.multicastGroup4 : globals.multicastGroup6;
  return configured ?? (parseIp(family === 4 ? "224.0.0.18" : "ff02::12") as Uint8Array);
}

/** What is announced after a take-over: the instance's words, else the global ones, else the defaults. */
export function announceSettings(draft: InstanceDraft, globals: GlobalsDraft): AnnounceSettings {
  const isMin = globals.minGarp === true;
  const globalDelayMs = globals.garpDelayMs ?? (isMin ? 0 : GARP_DELAY_MS);
  const globalRepeat = globals.garpRepeat ?? (isMin ? 1 : GARP_REPEAT);
  return Object.freeze({
    delayMs: draft.garpDelayMs ?? globalDelayMs,
    repeat: draft.garpRepeat ?? globalRepeat,
    refreshMs: draft.garpRefreshMs ?? globals.garpRefreshMs ?? 0,
    refreshRepeat: draft.garpRefreshRepeat ?? globals.garpRefreshRepeat ?? (isMin ? 0 : 1),
    lowerPriorityDelayMs: draft.garpLowerPriorityDelayMs ?? globals.garpLowerPriorityDelayMs ?? globalDelayMs,
    lowerPriorityRepeat: draft.garpLowerPriorityRepeat ?? globals.garpLowerPriorityRepeat ?? globalRepeat,
    garpIntervalMs: globals.garpIntervalMs ?? 0,
    gnaIntervalMs: globals.gnaIntervalMs ?? 0,
    extraIntervalMs: (draft.extraGarp ?? globals.extraGarp)?.intervalMs ?? 0,
    extraEverywhere: (draft.extraGarp ?? globals.extraGarp)?.isEverywhere ?? false,
  });
}
