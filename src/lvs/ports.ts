/** What virtual servers need of the world, and what they tell the process that they live in. */
import type { Bytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Decoded } from "../base/decoded.ts";
import type { Log } from "../base/log.ts";
import type { Command, KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { CheckedRegex, CheckerConnection, CheckerTls } from "../conf/keepalived/lvs/config.ts";
import type { MailText } from "../io/mail.ts";
import type { Alarm } from "../io/reactor.ts";
import type { VirtualServices } from "../io/virtual-services.ts";

/** What a node needs of a configuration. */
export type LvsConfig = Pick<KeepalivedConfig, "virtualServers"> & {
  readonly globals: Pick<KeepalivedConfig["globals"], "lvs">;
};

/** Why there is no conversation, or no more. */
export type ProbeFailure =
  /** Nobody listens, or there is no way there. */
  | "refused"
  /** TLS has not come about. */
  | "handshake"
  /** It broke when it was under way. */
  | "broken"
  /** This machine could not even try: address not its own, no such interface. The check says nothing about the server. */
  | "impossible";

/** What a conversation tells. No function of it may throw. */
export interface ProbeOwner {
  /** Connected; over TLS: with the handshake done. */
  onConnected(): void;
  /** Lent for the length of the call. */
  onData(bytes: Bytes): void;
  /** The server has said everything. */
  onEnd(): void;
  onFailed(failure: ProbeFailure, why: string): void;
}

/** A conversation that is under way. */
export interface Probe {
  send(bytes: Bytes): void;
  /** The owner hears nothing more. Safe to call at any time, also twice. */
  close(): void;
}

/** Where to, and from where. */
export type ProbeTarget = Omit<CheckerConnection, "timeoutMs">;

/** How TLS is begun; certificates of servers are not verified, as in keepalived. */
export interface ProbeTls {
  readonly serverName: string | undefined;
  /** It is ended with an alert, not just cut off. */
  readonly saysGoodbye: boolean;
  readonly files: CheckerTls;
}

export interface Probes {
  /** A TCP connection, inside TLS if that is asked for. */
  connect(target: ProbeTarget, tls: ProbeTls | undefined, owner: ProbeOwner): Probe;
  /** A UDP socket that is connected at once; refusals by ICMP are `onFailed`. */
  datagrams(target: ProbeTarget, owner: ProbeOwner): Probe;
  /** Sends one ICMP echo; the answer is `onConnected`. */
  ping(target: ProbeTarget, owner: ProbeOwner): Probe;
}

/** How a program ended. */
export type CommandResult =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: number }
  | { readonly kind: "timed out" }
  /** It could not be started. */
  | { readonly kind: "failed"; readonly why: string };

/** One event for scripts and pipes. */
export interface LvsEvent {
  /** keepalived's line, `RS [10.0.0.2]:tcp:80 [10.0.0.1]:tcp:80 UP`. */
  readonly line: string;
  readonly command: Command | undefined;
}

/** What finds a pattern in a body. */
export type BodyPattern = (body: Bytes) => boolean;

export interface LvsPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly probes: Probes;
  readonly services: VirtualServices;
  alarm(ring: () => void): Alarm;
  /** Starts a program; ends it, with all that it has started, after the time. */
  run(command: Command, timeoutMs: number, done: (result: CommandResult) => void): { kill(): void };
  /** A number from 0 to below 1. */
  random(): number;
  compile(regex: CheckedRegex): Decoded<BodyPattern>;
  notify(event: LvsEvent): void;
  mail(text: MailText): void;
}
