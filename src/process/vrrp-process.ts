/**
 * The VRRP process: nothing but the routers and the BFD sessions, on an event loop with real-time priority. It runs no script, writes no file
 * and no terminal: all that is the supervisor's, told over the IPC channel. When the channel closes the supervisor has
 * died, and the process leaves gracefully. keepalived's counterpart: the vrrp child, vrrp_daemon.c.
 */
import { randomBytes, randomFillSync } from "node:crypto";
import { hostname } from "node:os";
import { printIp } from "../base/ip.ts";
import type { Level, Log } from "../base/log.ts";
import { BfdSessions } from "../bfd/sessions.ts";
import type { ProcessSettings } from "../conf/keepalived/config.ts";
import { KernelDetours } from "../os/detours.ts";
import { kernelNeighbours } from "../os/packet-capture.ts";
import { KernelPeerSockets } from "../os/peer-sockets.ts";
import { setProcessTitle } from "../os/process-title.ts";
import { lockCode, setAffinity, setNiceness, setRoundRobin } from "../os/realtime.ts";
import { KernelRoutes } from "../os/routes.ts";
import { openRouting } from "../os/routing.ts";
import { KernelSegments } from "../os/segments.ts";
import { monotonicClock, TimerfdAlarm } from "../os/timer.ts";
import { KernelUdp } from "../os/udp.ts";
import { KernelVirtualLinks } from "../os/virtual-links.ts";
import { FlightRecorder } from "../vrrp/flight-recorder.ts";
import type { HandoverResult } from "../vrrp/handovers.ts";
import { VrrpNode } from "../vrrp/node.ts";
import type { RecordKind } from "../vrrp/partner-records.ts";
import type { NodePorts } from "../vrrp/ports.ts";
import { reportNode } from "../vrrp/report.ts";
import type { PackedRecord } from "./flight-desk.ts";
import { mapFlightMemory } from "./flight-memory.ts";
import { IpcChannel } from "./ipc-channel.ts";
import { peerSeal } from "./peer-seal.ts";
import { FLIGHT_FD, type FromVrrpProcess, type ToVrrpProcess } from "./vrrp-messages.ts";
import { LoopWatch, SUPERVISOR_BOUND_MS } from "./watchdog.ts";

/** SCHED_RR priority without vrrp_rt_priority: above every normal process, below the kernel's own threads. */
const DEFAULT_REALTIME_PRIORITY = 20;

/** A partner that has come since is given what an unattended node has so much later. */
const GIVE_AGAIN_MS = 10_000;
/** Partners that wait for a record of this node. */
const MAX_RECORD_READERS = 16;

/** Does what the configuration and the kernel allow; returns what was refused. */
function becomeRealtime(settings: ProcessSettings): string[] {
  const refused: (string | undefined)[] = [];
  refused.push(setRoundRobin(settings.realtimePriority ?? DEFAULT_REALTIME_PRIORITY));
  refused.push(lockCode());
  if (settings.cpuAffinity.length > 0) refused.push(setAffinity(settings.cpuAffinity));
  if (settings.niceness !== undefined) refused.push(setNiceness(settings.niceness));
  return refused.filter((text) => text !== undefined);
}

/** Numbers from 0 to 1 that nobody can guess, drawn from the kernel a page at a time. */
function randomNumbers(): () => number {
  const bytes = Buffer.alloc(4096);
  let at = bytes.length;
  return () => {
    if (at === bytes.length) {
      randomFillSync(bytes);
      at = 0;
    }
    at += 4;
    return bytes.readUInt32LE(at - 4) / 2 ** 32;
  };
}

class VrrpProcess {
  readonly #channel = new IpcChannel<FromVrrpProcess>();
  readonly #clock = monotonicClock();
  #log: Log = {
    enabled: (level: Level) => level !== "debug",
    write: (level, text) => this.#channel.sendIfIdle({ kind: "log", level, text }),
  };
  #node: VrrpNode | undefined;
  #bfd: BfdSessions | undefined;
  #beats: NodeJS.Timeout | undefined;
  #recorder: FlightRecorder | undefined;
  #supervisor: LoopWatch | undefined;
  #giving: NodeJS.Timeout | undefined;
  /** Partners that want a record of this node, until the supervisor has made it. */
  readonly #readers = new Map<number, (bytes: Uint8Array) => void>();
  #readerId = 0;

  receive(message: ToVrrpProcess): void {
    switch (message.kind) {
      case "start":
        this.#start(message);
        break;
      case "reload":
        this.#recorder?.forgetChecks();
        this.#node?.reload(message.config);
        this.#bfd?.reload(message.config.bfds);
        this.#beatEvery(message.beatMs);
        break;
      case "script":
        this.#recorder?.check(`script ${message.name}`, message.succeeded ? "succeeded" : "failed");
        this.#node?.scriptResult(message.name, message.succeeded);
        break;
      case "processes":
        this.#recorder?.check(`process ${message.name}`, `${message.running} running`);
        this.#node?.processCount(message.name, message.running);
        break;
      case "file":
        this.#recorder?.check(
          `file ${message.name}`,
          message.value === undefined ? "unreadable" : `holds ${message.value}`,
        );
        this.#node?.fileValue(message.name, message.value);
        break;
      case "upstream":
        this.#node?.upstreamHealth(message.name, message.health);
        break;
      case "report":
        this.#report(message.id);
        break;
      case "clearStatistics":
        for (const router of this.#node?.routers ?? []) router.clearStatistics();
        break;
      case "handOver":
        this.#handOver(message);
        break;
      case "drain":
        this.#node?.partnership.drain(message.isDrained);
        break;
      case "fault":
        this.#node?.nodeFault(message.fault);
        break;
      case "beat":
        if (this.#supervisor?.beat() === true) this.#supervisorTurns();
        break;
      case "witness":
        this.#node?.witness(message.instance, message.untilMs);
        break;
      case "askPartners":
        this.#askPartners(message);
        break;
      case "ownRecord":
        this.#readers.get(message.id)?.(message.bytes);
        this.#readers.delete(message.id);
        break;
      case "stop":
        this.stop();
        break;
    }
  }

  #start(message: Extract<ToVrrpProcess, { kind: "start" }>): void {
    const { config, process: settings, beatMs } = message;
    setProcessTitle("keepalived: vrrp process", settings.vrrpName ?? "keepalived");
    if (message.hasFlightMemory) this.#startRecorder();
    for (const refused of becomeRealtime(settings))
      this.#log.write("notice", `real time: not permitted here: ${refused}`);
    const node = new VrrpNode(this.#ports(), config);
    this.#node = node;
    const bfd = new BfdSessions(
      {
        clock: this.#clock,
        log: this.#log,
        udp: new KernelUdp(),
        alarm: (ring) => new TimerfdAlarm(ring),
        random: randomNumbers(),
        event: (event) => {
          this.#recorder?.check(`BFD session ${event.name}`, event.isUp ? "up" : event.expired ? "expired" : "down");
          node.bfdEvent(event);
          this.#channel.send({ kind: "session", name: event.name, isUp: event.isUp });
        },
      },
      config.bfds,
    );
    this.#bfd = bfd;
    if (message.fault !== undefined) node.nodeFault(message.fault);
    node.start();
    bfd.start();
    this.#supervisor = new LoopWatch(SUPERVISOR_BOUND_MS, (silentMs) => this.#supervisorHangs(silentMs));
    this.#channel.send({ kind: "ready" });
    this.#beatEvery(beatMs);
  }

  #ports(): NodePorts {
    const recorder = this.#recorder;
    const segments = new KernelSegments();
    const open = (ring: () => void): TimerfdAlarm => new TimerfdAlarm(ring);
    return {
      clock: this.#clock,
      log: this.#log,
      routing: openRouting(),
      segments: recorder?.segments(segments) ?? segments,
      alarm: (ring) => recorder?.alarm(open, ring) ?? open(ring),
      guard: (router, farewell) => this.#channel.send({ kind: "guard", router, farewell }),
      notify: (event) => this.#channel.send({ kind: "notify", event }),
      record: (event) => recorder?.record(event),
      neighbours: kernelNeighbours,
      want: (instance, isWanted) => this.#channel.send({ kind: "want", instance, isWanted }),
      changed: () => {},
      peer: {
        sockets: new KernelPeerSockets(),
        seal: peerSeal,
        random: (sizeBytes) => new Uint8Array(randomBytes(sizeBytes)),
        hostName: hostname(),
        ownRecord: (what, settle) => this.#wantRecord(what, settle),
      },
      detours: new KernelDetours(),
      virtualLinks: new KernelVirtualLinks(),
      routes: new KernelRoutes(),
      draining: (addresses) => this.#channel.send({ kind: "draining", addresses }),
    };
  }

  /** From now on everything is written down. Without its memory the process does all the same what it is for. */
  #startRecorder(): void {
    try {
      const recorder = new FlightRecorder(mapFlightMemory(FLIGHT_FD), this.#clock);
      recorder.watch(openRouting());
      this.#log = recorder.log(this.#log);
      this.#recorder = recorder;
    } catch (error) {
      this.#log.write("warn", `flight recorder: nothing is recorded: ${(error as Error).message}`);
    }
  }

  /** The supervisor makes it: this process has adverts to send. */
  #wantRecord(what: RecordKind, settle: (bytes: Uint8Array) => void): void {
    const id = ++this.#readerId;
    this.#readers.delete(id - MAX_RECORD_READERS);
    this.#readers.set(id, settle);
    this.#channel.sendIfIdle({ kind: "recordWanted", id, what });
  }

  #askPartners({ id, what }: Extract<ToVrrpProcess, { kind: "askPartners" }>): void {
    const answer = (records: readonly PackedRecord[]): void =>
      this.#channel.send({ kind: "partnerRecords", id, records });
    if (this.#node === undefined) answer([]);
    else
      this.#node.partnership.askRecords(what, (records) =>
        answer(
          records.map(({ partner: { hello, clock, address, link }, bytes }) => ({
            name: hello.name,
            version: hello.version,
            address: printIp(address),
            interface: link.name,
            offsetMs: clock?.offsetMs,
            roundTripMs: clock?.roundTripMs,
            bytes,
          })),
        ),
      );
  }

  #beatEvery(beatMs: number): void {
    clearInterval(this.#beats);
    this.#beats = setInterval(() => this.#channel.sendAtOnce({ kind: "beat" }), beatMs);
  }

  #handOver({ id, instances, limitMs, mayLower }: Extract<ToVrrpProcess, { kind: "handOver" }>): void {
    const options = { limitMs, mayLower };
    const answer = (results: readonly HandoverResult[]) => this.#channel.send({ kind: "handedOver", id, results });
    if (this.#node === undefined) answer([]);
    else this.#node.partnership.handOver(instances, options, answer);
  }

  /**
   * Nobody checks this node any more, starts its workers again or watches over this process, so a partner is the better owner: it is given
   * what is active here. Where there is none, a node that serves is better than no node.
   */
  #supervisorHangs(silentMs: number): void {
    this.#log.write(
      "alert",
      `the supervisor hangs: silent for ${silentMs} ms, so this node wants no address until it is back`,
    );
    const give = (): void => this.#node?.partnership.leaveUnattended();
    give();
    this.#giving = setInterval(give, GIVE_AGAIN_MS);
  }

  #supervisorTurns(): void {
    this.#log.write("notice", "the supervisor is back");
    clearInterval(this.#giving);
    this.#node?.partnership.attend();
  }

  #report(id: number): void {
    if (this.#node === undefined) return;
    const nowMs = this.#clock.now();
    const wallMs = this.#clock.wall();
    const bfds = this.#bfd?.report(nowMs, wallMs) ?? [];
    this.#channel.send({ kind: "report", id, report: { ...reportNode(this.#node, nowMs, wallMs), bfds } });
  }

  /** Priority 0, addresses removed, neighbours told, gone. */
  stop(): void {
    this.#node?.stop();
    this.#bfd?.stop();
    // What was said last is still in the channel; without a supervisor nobody reads it.
    if (process.connected) process.disconnect();
    process.exit(0);
  }
}

/** The body of the child's main file. */
export function runVrrpProcess(): void {
  const vrrp = new VrrpProcess();
  process.on("message", (message) => vrrp.receive(message as ToVrrpProcess));
  process.on("disconnect", () => vrrp.stop());
  process.on("SIGTERM", () => vrrp.stop());
  // These are meant for the supervisor; a terminal and killall send them to every process of the family.
  for (const signal of ["SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
}
