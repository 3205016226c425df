/** The client's view: a new TCP connection every few milliseconds, an HTTP/1.0 request over each, and what came of it. */
import net from "node:net";
import type { ProbeResult, ProbeSettings } from "./protocol.ts";
import { nowMs } from "./time.ts";

/** Answers longer than this are cut: a page that tells the nodes apart is short. */
const MAX_ANSWER_BYTES = 65536;

/** One request over a connection of its own. Never rejects: a failure is a result. */
export function probeOnce(settings: ProbeSettings): Promise<ProbeResult> {
  const startMs = nowMs();
  return new Promise((resolve) => {
    const socket = net.connect({ host: settings.ip, port: settings.port });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let settled = false;
    const settle = (outcome: { body: string } | { failure: string }): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ startMs, endMs: nowMs(), ...outcome });
    };
    const timer = setTimeout(() => settle({ failure: "TIMEOUT" }), settings.timeoutMs);
    socket.on("connect", () => socket.write(`GET / HTTP/1.0\r\nHost: ${hostOf(settings.ip)}\r\n\r\n`));
    socket.on("data", (chunk) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
    });
    socket.on("end", () => settle(readAnswer(Buffer.concat(chunks).toString("latin1"))));
    socket.on("error", (error: NodeJS.ErrnoException) => settle({ failure: error.code ?? error.message }));
  });
}

/** As it is written in a Host field: IPv6 in brackets. */
export function hostOf(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}

/** The body of a complete answer with status 200; anything else is a failure. */
function readAnswer(answer: string): { body: string } | { failure: string } {
  const head = answer.indexOf("\r\n\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1];
  if (head < 0 || status === undefined) return { failure: "EOF" };
  if (status !== "200") return { failure: `status ${status}` };
  const body = answer.slice(head + 4);
  const length = /^content-length: *(\d+)/im.exec(answer.slice(0, head + 2))?.[1];
  return length !== undefined && body.length < Number(length) ? { failure: "EOF" } : { body };
}

/** A probe that runs until it is stopped. `onFailure` hears of every attempt that fails, when it has. */
export class Probe {
  readonly #settings: ProbeSettings;
  readonly #onFailure: (what: string) => void;
  readonly #timer: NodeJS.Timeout;
  #results: ProbeResult[] = [];
  #nextMs: number;

  constructor(settings: ProbeSettings, onFailure: (what: string) => void) {
    this.#settings = settings;
    this.#onFailure = onFailure;
    this.#nextMs = nowMs();
    this.#timer = setInterval(() => this.#tick(), Math.max(1, settings.everyMs / 4));
  }

  /** The results since the last call, in the order in which they ended. */
  take(): readonly ProbeResult[] {
    const results = this.#results;
    this.#results = [];
    return results;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Absolute deadlines, so that a late timer does not thin the attempts out; a long pause is not made up for. */
  #tick(): void {
    const now = nowMs();
    if (now < this.#nextMs) return;
    this.#nextMs += this.#settings.everyMs;
    if (this.#nextMs < now) this.#nextMs = now + this.#settings.everyMs;
    void probeOnce(this.#settings).then((result) => this.#note(result));
  }

  #note(result: ProbeResult): void {
    this.#results.push(result);
    if (result.failure === undefined) return;
    const lastedMs = Math.round(result.endMs - result.startMs);
    this.#onFailure(`a request of the probe: ${result.failure} ${lastedMs} ms after its beginning`);
  }
}
