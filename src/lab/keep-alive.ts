/**
 * Clients that keep their connection: request, answer, a pause, the next request. A connection that the server announces
 * to close (`Connection: close`) or closes between two requests is replaced without complaint; a request without an
 * answer is a failure, and the reload of a server must not cause one.
 */
import net from "node:net";
import { hostOf } from "./probe.ts";
import type { KeepAliveResult, KeepAliveSettings } from "./protocol.ts";
import { nowMs } from "./time.ts";

const ANSWER_TIMEOUT_MS = 2000;
/** Failures that are told one by one; an outage has thousands. */
const MOST_TOLD = 100;

/** Several such clients at work until they are stopped. `onFailure` hears of the first requests that fail, when they have. */
export class KeepAliveLoad {
  readonly #clients: KeepAliveClient[] = [];
  readonly #counts = { requests: 0, connections: 0, failures: {} as Record<string, number> };

  constructor(settings: KeepAliveSettings, onFailure: (what: string) => void) {
    let told = 0;
    const tell = (what: string): void => {
      if (told++ < MOST_TOLD) onFailure(what);
    };
    for (let i = 0; i < settings.connections; i++)
      this.#clients.push(new KeepAliveClient(settings, this.#counts, tell));
  }

  stop(): KeepAliveResult {
    for (const client of this.#clients) client.stop();
    return this.#counts;
  }
}

interface Counts {
  requests: number;
  connections: number;
  failures: Record<string, number>;
}

class KeepAliveClient {
  readonly #settings: KeepAliveSettings;
  readonly #counts: Counts;
  readonly #onFailure: (what: string) => void;
  #socket: net.Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #answer = "";
  #waiting = false;
  #stopped = false;
  /** Of the connection: the client's port, requests that were sent on it, when the last one was. */
  #port: number | undefined;
  #sent = 0;
  #askedMs = 0;

  constructor(settings: KeepAliveSettings, counts: Counts, onFailure: (what: string) => void) {
    this.#settings = settings;
    this.#counts = counts;
    this.#onFailure = onFailure;
    // Spread over one pause, so that the requests do not come in bursts.
    this.#timer = setTimeout(() => this.#connect(), Math.random() * settings.pauseMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    if (this.#stopped) return;
    const socket = net.connect({ host: this.#settings.ip, port: this.#settings.port, noDelay: true });
    this.#socket = socket;
    this.#waiting = true; // a refused connection is a failed request
    this.#port = undefined;
    this.#sent = 0;
    this.#askedMs = nowMs();
    this.#armTimeout();
    socket.on("connect", () => {
      this.#counts.connections++;
      this.#port = socket.localPort;
      this.#send();
    });
    socket.on("data", (chunk) => this.#read(chunk.toString("latin1")));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#lost(socket, error.code ?? error.message));
    socket.on("close", () => this.#lost(socket, "EOF"));
  }

  #send(): void {
    this.#answer = "";
    this.#waiting = true;
    this.#sent++;
    this.#askedMs = nowMs();
    this.#counts.requests++;
    this.#armTimeout();
    this.#socket?.write(`GET / HTTP/1.1\r\nHost: ${hostOf(this.#settings.ip)}\r\n\r\n`);
  }

  #read(text: string): void {
    this.#answer += text;
    const head = this.#answer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const fields = this.#answer.slice(0, head + 2);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(fields)?.[1] ?? 0);
    if (this.#answer.length < head + 4 + length) return;
    this.#waiting = false;
    const status = /^HTTP\/1\.1 (\d{3})/.exec(fields)?.[1];
    if (status !== "200") this.#fail(`status ${status}`);
    const closes = /\r\nconnection: *close\r\n/i.test(fields);
    this.#pause(() => (closes ? this.#reconnect() : this.#send()));
  }

  #reconnect(): void {
    this.#socket?.removeAllListeners();
    this.#socket?.on("error", () => {});
    this.#socket?.destroy();
    this.#connect();
  }

  /** The connection has ended: between two requests that is the server's right, under a request it is a failure. */
  #lost(socket: net.Socket, reason: string): void {
    if (this.#stopped || socket !== this.#socket) return;
    if (this.#waiting) this.#fail(reason);
    this.#socket = undefined;
    this.#pause(() => this.#reconnect());
  }

  #fail(reason: string): void {
    this.#waiting = false;
    this.#counts.failures[reason] = (this.#counts.failures[reason] ?? 0) + 1;
    const where = this.#sent === 0 ? "a new connection" : `request ${this.#sent} from port ${this.#port}`;
    this.#onFailure(`${where}: ${reason} after ${Math.round(nowMs() - this.#askedMs)} ms`);
  }

  #pause(next: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(next, this.#settings.pauseMs);
  }

  #armTimeout(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#fail("TIMEOUT");
      this.#reconnect();
    }, ANSWER_TIMEOUT_MS);
  }
}
