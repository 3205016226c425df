/**
 * One check of a network checker, from its connection to its outcome, over the ports. Every wait is bounded by the checker's
 * connect_timeout, anew for every step, as keepalived does; a check that could not even begin has no outcome.
 */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type {
  CheckerTls,
  DnsChecker,
  HttpChecker,
  ServerAddress,
  SmtpChecker,
  UdpChecker,
  UdpReply,
} from "../conf/keepalived/lvs/config.ts";
import { Timer, type Timers } from "../net/timers.ts";
import type { NetworkChecker, Outcome } from "./checker.ts";
import { encodeQuestion, judgeAnswer } from "./dns-question.ts";
import { HttpAnswer, printRequest } from "./http-answer.ts";
import type { BodyPattern, LvsPorts, Probe, ProbeFailure, ProbeOwner, ProbeTls } from "./ports.ts";
import { SmtpDialogue } from "./smtp-dialogue.ts";

/** What a check needs besides its checker. */
export interface CheckContext {
  readonly ports: Pick<LvsPorts, "probes" | "random">;
  readonly timers: Timers;
  readonly tls: CheckerTls;
  /** The real server's name. */
  readonly server: string;
  /** HTTP_GET: which url, and what finds its pattern. */
  readonly url: number;
  readonly pattern: BodyPattern | undefined;
  /** A body whose length was not what it was said to be. */
  onMismatch(announced: number, received: number): void;
}

/** `done` is called once: with what came of it, or with undefined when this machine could not try. */
export type CheckDone = (outcome: Outcome | undefined, why: string) => void;

/** Fills what is sent to a server that expects nothing in particular. */
const FILLER = "keepalived check - ";
const UDP_FILLER_BYTES = 32;

/** Begins a check; `close` breaks it off. */
export function beginCheck(checker: NetworkChecker, context: CheckContext, done: CheckDone): { close(): void } {
  const check = new Check(checker, context, done);
  check.begin();
  return check;
}

/** `[10.0.0.2]:25`, as SMTP_CHECK calls servers. */
function printPair({ ip, port }: ServerAddress): string {
  return `[${printIp(ip)}]:${port}`;
}

function tlsOf({ serverNames, saysGoodbye }: HttpChecker, url: number, files: CheckerTls): ProbeTls {
  return { serverName: serverNames[url], saysGoodbye: saysGoodbye[url] === true, files };
}

class Check {
  readonly #checker: NetworkChecker;
  readonly #context: CheckContext;
  readonly #done: CheckDone;
  readonly #timer = new Timer(() => this.#timedOut());
  #probe: Probe | undefined;
  #isOver = false;
  #isConnected = false;

  constructor(checker: NetworkChecker, context: CheckContext, done: CheckDone) {
    this.#checker = checker;
    this.#context = context;
    this.#done = done;
  }

  begin(): void {
    const { probes } = this.#context.ports;
    const checker = this.#checker;
    const { connection } = checker;
    this.#wait();
    const owner = this.#owner();
    if (checker.kind === "PING_CHECK") this.#keep(probes.ping(connection, owner));
    else if (checker.kind === "UDP_CHECK" || checker.kind === "DNS_CHECK")
      this.#keep(probes.datagrams(connection, owner));
    else {
      const { tls: files, url } = this.#context;
      const tls = checker.kind === "SSL_GET" ? tlsOf(checker, url, files) : undefined;
      this.#keep(probes.connect(connection, tls, owner));
    }
  }

  /** A probe may have told its end before it was known. */
  #keep(probe: Probe): void {
    if (this.#isOver) probe.close();
    else this.#probe = probe;
  }

  close(): void {
    this.#isOver = true;
    this.#context.timers.discard(this.#timer);
    this.#probe?.close();
    this.#probe = undefined;
  }

  #wait(): void {
    this.#context.timers.arm(this.#timer, this.#checker.connection.timeoutMs);
  }

  #end(outcome: Outcome | undefined, why = ""): void {
    if (this.#isOver) return;
    this.close();
    this.#done(outcome, why);
  }

  #fail(why: string): void {
    this.#end({ ok: false, why });
  }

  #owner(): ProbeOwner {
    const checker = this.#checker;
    switch (checker.kind) {
      case "TCP_CHECK":
      case "PING_CHECK":
        return this.#plainOwner(() => this.#end({ ok: true }));
      case "UDP_CHECK":
        return this.#udpOwner(checker);
      case "DNS_CHECK":
        return this.#dnsOwner(checker);
      case "SMTP_CHECK":
        return this.#smtpOwner(checker);
      case "HTTP_GET":
      case "SSL_GET":
        return this.#httpOwner(checker);
    }
  }

  /** What all owners have in common; a failure of this machine's own is no outcome. */
  #base(onConnected: () => void): ProbeOwner {
    return {
      onConnected: () => {
        this.#isConnected = true;
        this.#wait();
        onConnected();
      },
      onData: () => {},
      onEnd: () => {},
      onFailed: (failure, why) => {
        if (failure === "impossible") this.#end(undefined, why);
        else this.#fail(this.#words(failure));
      },
    };
  }

  #plainOwner(onConnected: () => void): ProbeOwner {
    return this.#base(onConnected);
  }

  #udpOwner(checker: UdpChecker): ProbeOwner {
    const { reply } = checker;
    return {
      ...this.#base(() => this.#send(checker.payload ?? filler(UDP_FILLER_BYTES))),
      onData: (bytes) => {
        if (reply === undefined || matches(reply, bytes)) this.#end({ ok: true });
        else this.#fail(`UDP check to ${this.#context.server} reply data mismatch.`);
      },
    };
  }

  #dnsOwner(checker: DnsChecker): ProbeOwner {
    const id = Math.floor(this.#context.ports.random() * 0x10000);
    return {
      ...this.#base(() => this.#send(encodeQuestion(id, checker.name, checker.type))),
      onData: (bytes) => {
        const outcome = judgeAnswer(bytes, id);
        if (outcome !== undefined) this.#end(outcome);
      },
    };
  }

  #smtpOwner(checker: SmtpChecker): ProbeOwner {
    const server = printPair(checker.connection.destination);
    const dialogue = new SmtpDialogue(checker.heloName, server);
    return {
      ...this.#base(() => {}),
      onData: (bytes) => {
        const turn = dialogue.hear(bytes);
        if (turn === undefined) return;
        if ("say" in turn) {
          this.#send(turn.say);
          this.#wait();
        } else if (turn.failure === undefined) this.#end({ ok: true });
        else this.#fail(turn.failure);
      },
      onEnd: () => this.#fail(`Read failure from server ${server}`),
    };
  }

  #httpOwner(checker: HttpChecker): ProbeOwner {
    const { url: index, pattern, onMismatch } = this.#context;
    const url = checker.urls[index];
    if (url === undefined) return this.#plainOwner(() => this.#end({ ok: true }));
    const answer = new HttpAnswer(url, pattern);
    const { ip, port } = checker.connection.destination;
    const address = ip.length === 4 ? `${printIp(ip)}:${port}` : `[${printIp(ip)}]:${port}`;
    const host = url.virtualHost ?? checker.virtualHost;
    return {
      ...this.#base(() => this.#send(fromLatin1(printRequest(url.path, checker.protocol, host, address)))),
      onData: (bytes) => {
        this.#wait();
        // A head or a body without end is as good as none.
        if (!answer.add(bytes)) this.#fail("Read, no data received from ");
      },
      onEnd: () => {
        const outcome = answer.end();
        const { announced, received } = answer.lengths;
        if (announced !== undefined && announced !== received) onMismatch(announced, received);
        this.#end(outcome);
      },
    };
  }

  #send(bytes: Bytes): void {
    this.#probe?.send(bytes);
  }

  /** What keepalived calls a failure of this kind of checker. */
  #words(failure: Exclude<ProbeFailure, "impossible">): string {
    const { kind, connection } = this.#checker;
    const { server } = this.#context;
    const pair = printPair(connection.destination);
    switch (kind) {
      case "TCP_CHECK":
        return `TCP connection to ${server} failed.`;
      case "UDP_CHECK":
        return `UDP connection to ${server} failed.`;
      case "PING_CHECK":
        return `ICMP connection to ${server} failed.`;
      case "DNS_CHECK":
        return this.#isConnected ? "failed to read socket." : `network unreachable for ${pair}`;
      case "SMTP_CHECK":
        return this.#isConnected ? `Read failure from server ${pair}` : `Could not connect to server ${pair}`;
      case "HTTP_GET":
      case "SSL_GET":
        if (failure === "handshake") return "SSL handshake/communication error connecting to";
        return this.#isConnected ? "Read error with" : "Connection failed";
    }
  }

  #timedOut(): void {
    const { kind, connection } = this.#checker;
    const { server } = this.#context;
    const pair = printPair(connection.destination);
    switch (kind) {
      case "TCP_CHECK":
        this.#fail(`TCP connection to ${server} timeout.`);
        break;
      case "UDP_CHECK":
        // Silence is good when no answer is asked for.
        if (this.#checker.kind === "UDP_CHECK" && this.#checker.reply === undefined) this.#end({ ok: true });
        else this.#fail(`UDP connection to ${server} failed.`);
        break;
      case "PING_CHECK":
        this.#fail(`ICMP connection to address ${server} timeout.`);
        break;
      case "DNS_CHECK":
        this.#fail("read timeout from socket");
        break;
      case "SMTP_CHECK":
        this.#fail(this.#isConnected ? `Read timeout from server ${pair}` : `Connection timeout to server ${pair}`);
        break;
      case "HTTP_GET":
        this.#fail(this.#isConnected ? "Timeout HTTP read" : "Timeout connecting");
        break;
      case "SSL_GET":
        this.#fail(this.#isConnected ? "Timeout SSL read" : "Timeout connecting");
        break;
    }
  }
}

/** What keepalived sends when nothing is said. */
export function filler(length: number): Bytes {
  return fromLatin1(FILLER.repeat(Math.ceil(length / FILLER.length)).slice(0, length));
}

function matches({ bytes, mask, minBytes, maxBytes }: UdpReply, answer: Bytes): boolean {
  // Without bytes to compare keepalived does not look at the length either.
  if (bytes.length === 0) return true;
  if (answer.length < minBytes || answer.length > maxBytes) return false;
  const length = Math.min(answer.length, bytes.length);
  for (let at = 0; at < length; at++)
    if ((((answer[at] as number) ^ (bytes[at] as number)) & ~(mask[at] as number)) !== 0) return false;
  return true;
}
