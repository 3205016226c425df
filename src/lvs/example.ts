/** A world for virtual servers that is made of tables and moved by hand: for tests and the simulation. */
import type { Bytes } from "../base/bytes.ts";
import { malformed } from "../base/decoded.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { readerOf } from "../conf/keepalived/example.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import type { MailText } from "../io/mail.ts";
import { FakeVirtualServices } from "../io/virtual-services-fake.ts";
import type { CommandResult, LvsPorts, Probe, ProbeOwner, ProbeTarget, ProbeTls } from "./ports.ts";

/** The configuration of a text; defects are the test's. */
export function configOf(text: string): KeepalivedConfig {
  return loadKeepalived("/k", { reader: readerOf({ "/k": text }), configId: "node" }).config;
}

/** A conversation that a test answers. */
export interface FakeProbe {
  readonly kind: "connect" | "datagrams" | "ping";
  readonly target: ProbeTarget;
  readonly tls: ProbeTls | undefined;
  readonly owner: ProbeOwner;
  readonly sent: Bytes[];
  isClosed: boolean;
}

/** Time, sockets, programs and kernel. */
export class FakeWorld {
  nowMs = 1000;
  readonly logs: string[] = [];
  readonly events: string[] = [];
  /** Subjects and bodies of mail. */
  readonly mails: MailText[] = [];
  /** Commands of notifies that would have been run, by their first word. */
  readonly commands: string[] = [];
  readonly services = new FakeVirtualServices();
  readonly probes: FakeProbe[] = [];
  readonly runs: {
    readonly text: string;
    readonly timeoutMs: number;
    done(result: CommandResult): void;
    isKilled: boolean;
  }[] = [];
  /** Answers of `random`. */
  randomValue = 0;
  #alarms: { atMs: number; readonly ring: () => void }[] = [];

  readonly ports: LvsPorts = {
    clock: { now: () => this.nowMs, wall: () => 0 },
    log: { enabled: () => true, write: (_level, text) => void this.logs.push(text) },
    services: this.services,
    probes: {
      connect: (target, tls, owner) => this.#probe("connect", target, tls, owner),
      datagrams: (target, owner) => this.#probe("datagrams", target, undefined, owner),
      ping: (target, owner) => this.#probe("ping", target, undefined, owner),
    },
    alarm: (ring) => {
      const alarm = { atMs: Number.POSITIVE_INFINITY, ring };
      this.#alarms.push(alarm);
      return {
        arm: (atMs) => {
          alarm.atMs = atMs;
        },
        disarm: () => {
          alarm.atMs = Number.POSITIVE_INFINITY;
        },
      };
    },
    run: (command, timeoutMs, done) => {
      const run = { text: command.text, timeoutMs, done, isKilled: false };
      this.runs.push(run);
      return {
        kill: () => {
          run.isKilled = true;
        },
      };
    },
    random: () => this.randomValue,
    compile: () => malformed("no patterns here"),
    mail: (text) => void this.mails.push(text),
    notify: ({ line, command }) => {
      this.events.push(line);
      if (command !== undefined) this.commands.push(command.text);
    },
  };

  #probe(kind: FakeProbe["kind"], target: ProbeTarget, tls: ProbeTls | undefined, owner: ProbeOwner): Probe {
    const probe: FakeProbe = { kind, target, tls, owner, sent: [], isClosed: false };
    this.probes.push(probe);
    return {
      send: (bytes) => void probe.sent.push(bytes.slice()),
      close: () => {
        probe.isClosed = true;
      },
    };
  }

  /** Conversations that nobody has answered yet. */
  get openProbes(): readonly FakeProbe[] {
    return this.probes.filter(({ isClosed }) => !isClosed);
  }

  /** Lets time pass; alarms ring at their time. `between` is called behind each ring. */
  advance(ms: number, between: () => void = () => {}): void {
    const until = this.nowMs + ms;
    for (;;) {
      const next = this.#alarms.reduce((a, b) => (b.atMs < a.atMs ? b : a), {
        atMs: Number.POSITIVE_INFINITY,
        ring: () => {},
      });
      if (next.atMs > until) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.atMs = Number.POSITIVE_INFINITY;
      next.ring();
      between();
    }
    this.nowMs = until;
  }

  /** What the kernel has of a service: `10.0.0.2:80*3` is weight 3. */
  pool(name: string): readonly string[] | undefined {
    return this.services.services
      .get(name)
      ?.destinations.map(({ ip, port, weight }) => `${[...ip].join(".")}:${port}${weight === 1 ? "" : `*${weight}`}`);
  }
}
