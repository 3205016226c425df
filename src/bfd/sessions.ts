/**
 * The BFD sessions of a node: sockets, one alarm, which packet belongs to which session, reload. They live in the VRRP
 * process, whose routers follow them without a pipe in between, and, with other ports, in the simulation. RFC 5881 (one
 * hop), RFC 5883 (several). keepalived's counterpart: bfd_daemon.c, bfd_scheduler.c, a process of its own.
 */
import type { Bytes } from "../base/bytes.ts";
import { equalBytes } from "../base/bytes.ts";
import { type IpAddress, printIp } from "../base/ip.ts";
import type { BfdInstance } from "../conf/keepalived/config.ts";
import type { Alarm } from "../io/reactor.ts";
import type { UdpDelivery, UdpReceiver, UdpSender } from "../io/udp.ts";
import {
  BFD_MULTIHOP_PORT,
  BFD_PORT,
  BFD_SOURCE_PORTS,
  type ControlPacket,
  decodeControl,
  encodeControl,
} from "../wire/bfd/control.ts";
import type { BfdPorts } from "./ports.ts";
import { type BfdReport, reportSession } from "./report.ts";
import { step } from "./session.ts";
import { detectionUs, initialSession, type SessionEffect, type SessionInput, type SessionState } from "./state.ts";

/** How long after a failure a socket is tried again: its address may not be there yet. */
const RETRY_MS = 1000;
/** What is said about packets that belong to nobody is said once in this time, whoever sends them. */
const COMPLAINT_PAUSE_MS = 10_000;
/** `max_hops`: the way may be as long as it likes. */
export const ANY_HOPS = 255;

interface Session {
  settings: BfdInstance;
  state: SessionState;
  /** undefined: the socket could not be opened yet, and the session is AdminDown. */
  sender: UdpSender | undefined;
  /** The failure that was told last. */
  failure: string;
  hasSendError: boolean;
  sent: number;
  received: number;
  changes: number;
}

/** All sessions: create, `start`, `reload`, `stop`. */
export class BfdSessions {
  readonly #ports: BfdPorts;
  readonly #alarm: Alarm;
  readonly #sessions = new Map<string, Session>();
  readonly #receivers = new Map<string, UdpReceiver>();
  readonly #failures = new Map<string, string>();
  readonly #complaints = new Map<string, number>();
  #retryAtMs = Number.POSITIVE_INFINITY;
  #isStopped = false;

  constructor(ports: BfdPorts, instances: readonly BfdInstance[]) {
    this.#ports = ports;
    this.#alarm = ports.alarm(() => this.#ring());
    for (const instance of instances) this.#add(instance);
  }

  start(): void {
    this.#open();
    this.#rearm();
  }

  /** Takes over other settings; a session with the same name and neighbour goes on. */
  reload(instances: readonly BfdInstance[]): void {
    if (this.#isStopped) return;
    for (const [name, session] of [...this.#sessions]) {
      const next = instances.find((instance) => instance.name === name);
      if (next !== undefined && isSameSession(session.settings, next)) this.#change(session, next);
      else {
        const wasUp = session.state.state === "up";
        this.#end(session);
        this.#sessions.delete(name);
        if (wasUp)
          this.#ports.event({ name, neighbor: session.settings.neighbor, isUp: false, expired: false, detectionMs: 0 });
      }
    }
    for (const instance of instances) if (!this.#sessions.has(instance.name)) this.#add(instance);
    this.#open();
    this.#rearm();
  }

  /** Says goodbye to every neighbour. Nothing happens afterwards. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const session of this.#sessions.values()) this.#end(session);
    for (const receiver of this.#receivers.values()) receiver.close();
    this.#receivers.clear();
    this.#alarm.disarm();
  }

  /** `nowMs` and `wallMs` are the same instant on both clocks. */
  report(nowMs: number, wallMs: number): readonly BfdReport[] {
    return [...this.#sessions.values()].map((session) =>
      reportSession(session.settings, session.state, countsOf(session), nowMs, wallMs),
    );
  }

  /** The state of a session, for tests and the simulation. */
  state(name: string): SessionState | undefined {
    return this.#sessions.get(name)?.state;
  }

  #add(settings: BfdInstance): void {
    const state: SessionState = { ...initialSession(settings, this.#discriminator()), state: "adminDown" };
    const counts = { hasSendError: false, sent: 0, received: 0, changes: 0 };
    this.#sessions.set(settings.name, { settings, state, sender: undefined, failure: "", ...counts });
  }

  /** RFC 5880 §6.3: unlike all others of this node, and not to be guessed. */
  #discriminator(): number {
    for (;;) {
      const random = Math.floor(this.#ports.random() * 0x1_0000_0000);
      const isTaken = [...this.#sessions.values()].some(({ state }) => state.localDiscriminator === random);
      if (random !== 0 && !isTaken) return random;
    }
  }

  /** Opens whatever is missing, closes what nobody needs, and comes back when something could not be opened. */
  #open(): void {
    this.#retryAtMs = Number.POSITIVE_INFINITY;
    const needed = new Set<string>();
    for (const session of this.#sessions.values()) {
      const { neighbor, multihop } = session.settings;
      needed.add(`${neighbor.length === 4 ? 4 : 6} ${multihop ? BFD_MULTIHOP_PORT : BFD_PORT}`);
      if (session.sender === undefined) this.#openSender(session);
    }
    for (const key of needed) if (!this.#receivers.has(key)) this.#openReceiver(key);
    for (const [key, receiver] of [...this.#receivers]) {
      if (needed.has(key)) continue;
      receiver.close();
      this.#receivers.delete(key);
    }
  }

  #openReceiver(key: string): void {
    const [family, port] = key.split(" ").map(Number) as [4 | 6, number];
    try {
      const receiver = this.#ports.udp.receive(family, port, (bytes, delivery) =>
        this.#receive(bytes, delivery, port === BFD_MULTIHOP_PORT),
      );
      this.#receivers.set(key, receiver);
      this.#failures.delete(key);
    } catch (error) {
      const text = `Unable to open ${port === BFD_PORT ? "" : "multihop "}listening socket: ${(error as Error).message}`;
      if (this.#failures.get(key) !== text) this.#ports.log.write("error", text);
      this.#failures.set(key, text);
      this.#retryLater();
    }
  }

  #openSender(session: Session): void {
    const { name, neighbor, multihop, source, ttl } = session.settings;
    const { min, max } = BFD_SOURCE_PORTS;
    const first = min + Math.floor(this.#ports.random() * (max - min + 1));
    const port = multihop ? BFD_MULTIHOP_PORT : BFD_PORT;
    const sourcePorts = { min, max, first };
    try {
      session.sender = this.#ports.udp.sender({ destination: neighbor, port, source, sourcePorts, hopLimit: ttl });
    } catch (error) {
      const failure = (error as Error).message;
      if (failure !== session.failure) {
        this.#ports.log.write("error", `(${name}) ${failure}`);
        this.#ports.log.write("error", `(${name}) Unable to open output socket, disabling instance`);
        this.#ports.log.write("warn", `(${name}) Entering AdminDown state`);
      }
      session.failure = failure;
      this.#retryLater();
      return;
    }
    session.failure = "";
    if (session.state.state !== "adminDown") return;
    session.state = initialSession(session.settings, session.state.localDiscriminator);
    this.#feed(session, { kind: "start", atMs: this.#ports.clock.now(), random: this.#ports.random() });
  }

  #retryLater(): void {
    this.#retryAtMs = this.#ports.clock.now() + RETRY_MS;
  }

  #change(session: Session, settings: BfdInstance): void {
    const old = session.settings;
    session.settings = settings;
    if (old.ttl !== settings.ttl || !sameAddress(old.source, settings.source)) {
      session.sender?.close();
      session.sender = undefined;
    }
    this.#feed(session, { kind: "reload", atMs: this.#ports.clock.now(), random: this.#ports.random() });
  }

  #end(session: Session): void {
    this.#feed(session, { kind: "stop", atMs: this.#ports.clock.now(), random: this.#ports.random() });
    session.sender?.close();
    session.sender = undefined;
  }

  #ring(): void {
    if (this.#isStopped) return;
    // What has arrived is heard before a late timer decides.
    for (const receiver of this.#receivers.values()) receiver.drain();
    const atMs = this.#ports.clock.now();
    if (atMs >= this.#retryAtMs) this.#open();
    for (const session of [...this.#sessions.values()])
      if (atMs >= dueMs(session.state)) this.#feed(session, { kind: "alarm", atMs, random: this.#ports.random() });
    this.#rearm();
  }

  /** To be called after everything that may have moved a deadline. */
  #rearm(): void {
    let next = this.#retryAtMs;
    for (const { state } of this.#sessions.values()) next = Math.min(next, dueMs(state));
    if (Number.isFinite(next) && !this.#isStopped) this.#alarm.arm(next);
    else this.#alarm.disarm();
  }

  #receive(bytes: Bytes, delivery: UdpDelivery, multihop: boolean): void {
    const read = decodeControl(bytes);
    if (!read.ok) {
      this.#complain("bogus", read.reason, `Discarding bogus packet from ${printSource(delivery)}`);
      return;
    }
    const packet = read.value;
    const session = this.#find(packet.yourDiscriminator, delivery, multihop);
    const refused = whyNot(packet, session?.settings, delivery);
    if (session === undefined || refused !== undefined) {
      this.#complain(`${session?.settings.name} ${refused?.about}`, refused?.text ?? "");
      return;
    }
    session.received++;
    this.#feed(session, { kind: "packet", atMs: this.#ports.clock.now(), random: this.#ports.random(), packet });
    this.#rearm();
  }

  /** RFC 5880 §6.8.6: by discriminator, and by addresses only while the neighbour does not know ours. */
  #find(discriminator: number, { source, destination }: UdpDelivery, multihop: boolean): Session | undefined {
    for (const session of this.#sessions.values()) {
      const { settings, state } = session;
      if (settings.multihop !== multihop) continue;
      if (discriminator !== 0) {
        if (state.localDiscriminator === discriminator) return session;
        continue;
      }
      const isOurs = settings.source === undefined || equalBytes(settings.source, destination);
      if (isOurs && equalBytes(settings.neighbor, source)) return session;
    }
    return undefined;
  }

  #feed(session: Session, input: SessionInput): void {
    const { state, effects } = step(session.settings, session.state, input);
    session.state = state;
    for (const effect of effects) this.#perform(session, effect);
  }

  #perform(session: Session, effect: SessionEffect): void {
    const { name, neighbor } = session.settings;
    switch (effect.kind) {
      case "send": {
        const result = session.sender?.send(encodeControl(effect.packet)) ?? 0;
        if (result < 0 && !session.hasSendError)
          this.#ports.log.write("error", `(${name}) Error sending packet: errno ${-result}`);
        session.hasSendError = result < 0;
        if (result === 0) session.sent++;
        break;
      }
      case "event": {
        session.changes++;
        const { isUp, expired } = effect;
        this.#ports.event({ name, neighbor, isUp, expired, detectionMs: detectionUs(session.state) / 1000 });
        break;
      }
      case "log":
        this.#ports.log.write(effect.level, effect.text);
        break;
    }
  }

  #complain(about: string, ...lines: readonly string[]): void {
    const nowMs = this.#ports.clock.now();
    const last = this.#complaints.get(about);
    if (last !== undefined && nowMs - last < COMPLAINT_PAUSE_MS) return;
    this.#complaints.set(about, nowMs);
    for (const line of lines) this.#ports.log.write("info", line);
  }
}

/** Why a packet does not reach its session, in keepalived's words; undefined when it does. */
function whyNot(
  packet: ControlPacket,
  settings: BfdInstance | undefined,
  delivery: UdpDelivery,
): { readonly about: string; readonly text: string } | undefined {
  const discard = (about: string, why: string) => ({
    about,
    text: `Discarding packet from ${printSource(delivery)} (${why})`,
  });
  if (settings === undefined) {
    const field = `0x${packet.yourDiscriminator.toString(16).padStart(8, "0")}`;
    return discard("session", `session is not found - your discriminator field is ${field}`);
  }
  const { maxHops, ttl } = settings;
  const { hopLimit, source } = delivery;
  // RFC 5881 §5, and keepalived's widening of it: who is further away can't be the neighbour.
  if (maxHops !== ANY_HOPS && hopLimit + maxHops < ttl) {
    const word = source.length === 4 ? "ttl" : "hop_limit";
    return { about: "hops", text: `Packet ${word}(${hopLimit}) < ${ttl - maxHops} - discarding` };
  }
  if (packet.authenticated) return discard("auth", "auth bit is set, but no authentication is in use");
  return undefined;
}

function printSource({ source, sourcePort }: UdpDelivery): string {
  return `[${printIp(source)}]:${sourcePort}`;
}

function dueMs({ sendAtMs, expiresAtMs }: SessionState): number {
  return Math.min(sendAtMs ?? Number.POSITIVE_INFINITY, expiresAtMs ?? Number.POSITIVE_INFINITY);
}

function countsOf({ sent, received, changes, hasSendError }: Session) {
  return { sent, received, changes, hasSendError };
}

function sameAddress(a: IpAddress | undefined, b: IpAddress | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function isSameSession(a: BfdInstance, b: BfdInstance): boolean {
  return equalBytes(a.neighbor, b.neighbor) && a.multihop === b.multihop;
}
