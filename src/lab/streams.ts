/** Exchanges that last, as clients see them: slow downloads, streaming uploads, tunnels. Each either ends as it should, or is broken. */
import http from "node:http";
import type { Socket } from "node:net";
import { hostOf } from "./probe.ts";
import type { StreamResult, StreamSettings } from "./protocol.ts";

/** Where a node's stream-back-end.ts listens, and where its web server passes it on. */
export const BACK_END_PORT = 18_083;
export const STREAM_PORT = 18_084;
export const TICK_MS = 100;
/** The last line of a download. */
export const DOWNLOAD_END = "END\n";
/** Nothing at all for so long is the end of an exchange. */
const SILENCE_MS = 3000;
const PIECE = Buffer.alloc(4096, "x");

/** Clients at work until they are stopped; what has begun by then is allowed to end. `onFailure` hears of each that breaks. */
export class StreamLoad {
  readonly #settings: StreamSettings;
  readonly #onFailure: (what: string) => void;
  readonly #agent = new http.Agent({ keepAlive: false });
  readonly #running: Promise<void>[] = [];
  readonly #result = { downloads: 0, uploads: 0, tunnels: 0, echoes: 0, broken: {} as Record<string, number> };
  #isStopped = false;

  constructor(settings: StreamSettings, onFailure: (what: string) => void) {
    this.#settings = settings;
    this.#onFailure = onFailure;
    const { downloads, uploads, tunnels } = settings;
    for (let i = 0; i < downloads; i++) this.#running.push(this.#again(() => this.#download()));
    for (let i = 0; i < uploads; i++) this.#running.push(this.#again(() => this.#upload()));
    for (let i = 0; i < tunnels; i++) this.#running.push(this.#tunnel());
  }

  async stop(): Promise<StreamResult> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    return this.#result;
  }

  async #again(exchange: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) await exchange();
  }

  #request(options: http.RequestOptions): http.ClientRequest {
    const { ip } = this.#settings;
    return http.request({ host: ip, port: STREAM_PORT, agent: this.#agent, timeout: SILENCE_MS, ...options });
  }

  #break(what: string, reason: string): void {
    const name = `${what} ${reason}`;
    this.#result.broken[name] = (this.#result.broken[name] ?? 0) + 1;
    this.#onFailure(`an exchange breaks: ${name}`);
  }

  /** The answer's body, or why there is none; resolved in any case. */
  #exchange(what: string, request: http.ClientRequest): Promise<string | undefined> {
    return new Promise((resolve) => {
      let isOver = false;
      const fail = (reason: string): void => {
        if (isOver) return;
        isOver = true;
        this.#break(what, reason);
        request.destroy();
        resolve(undefined);
      };
      request.on("timeout", () => fail("TIMEOUT"));
      request.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      request.on("response", (response) => {
        let body = "";
        response.setEncoding("latin1");
        response.on("data", (part: string) => (body += part));
        response.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
        response.on("end", () => {
          if (response.statusCode !== 200) fail(`status ${response.statusCode}`);
          isOver = true;
          resolve(body);
        });
      });
    });
  }

  async #download(): Promise<void> {
    const request = this.#request({ path: `/slow?ms=${this.#settings.lastsMs}` });
    request.end();
    const body = await this.#exchange("download", request);
    if (body === undefined) return;
    if (body.endsWith(DOWNLOAD_END)) this.#result.downloads++;
    else this.#break("download", "cut");
  }

  async #upload(): Promise<void> {
    const request = this.#request({ path: "/upload", method: "POST" });
    let sent = 0;
    let left = Math.ceil(this.#settings.lastsMs / TICK_MS);
    const timer = setInterval(() => {
      if (left-- > 0) {
        sent += PIECE.length;
        request.write(PIECE);
      } else {
        clearInterval(timer);
        request.end();
      }
    }, TICK_MS);
    // What is written all the time never times out by itself: the kernel's own patience is what counts.
    request.on("close", () => clearInterval(timer));
    const body = await this.#exchange("upload", request);
    if (body === undefined) return;
    if (body === String(sent)) this.#result.uploads++;
    else this.#break("upload", "cut");
  }

  /** A tunnel that lasts for as long as the load does. */
  #tunnel(): Promise<void> {
    return new Promise((resolve) => {
      const headers = { Connection: "Upgrade", Upgrade: "websocket", Host: hostOf(this.#settings.ip) };
      const request = this.#request({ path: "/tunnel", headers });
      const fail = (reason: string): void => {
        this.#break("tunnel", reason);
        request.destroy();
        resolve();
      };
      request.on("timeout", () => fail("TIMEOUT"));
      request.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      request.on("response", ({ statusCode }) => fail(`status ${statusCode}`));
      request.on("upgrade", (_response, socket: Socket) => {
        request.removeAllListeners("timeout");
        void this.#talk(socket).then((failure) => {
          if (failure === undefined) this.#result.tunnels++;
          else this.#break("tunnel", failure);
          socket.destroy();
          resolve();
        });
      });
      request.end();
    });
  }

  /** Says something and waits for the echo, again and again; why it could not, or undefined when the load was stopped. */
  async #talk(socket: Socket): Promise<string | undefined> {
    let failure: string | undefined;
    let heard = "";
    let wake = (): void => {};
    const end = (reason: string): void => {
      failure ??= reason;
      wake();
    };
    socket.setEncoding("latin1");
    socket.on("data", (part) => {
      heard += part;
      wake();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on("close", () => end("EOF"));
    for (let number = 1; !this.#isStopped && failure === undefined; number++) {
      const line = `${number}\n`;
      heard = "";
      socket.write(line);
      const silence = setTimeout(() => end("TIMEOUT"), SILENCE_MS);
      while (heard.length < line.length && failure === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      clearTimeout(silence);
      if (failure === undefined && heard !== line) failure = "wrong echo";
      this.#result.echoes++;
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    return failure;
  }
}
