/** One of `examples/` at work: a copy of it with free ports, and a back end behind each of its upstream addresses. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, type Program, ServerProcess } from "./server-process.ts";

const examples = fileURLToPath(new URL("../../../examples", import.meta.url));

/** A request as a back end has seen it. */
export interface SeenRequest {
  /** The port that stands in the example's files. */
  readonly backEnd: number;
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** What a back end answers; undefined for "hello from PORT". */
export type Behaviour = (seen: SeenRequest, response: http.ServerResponse) => boolean;

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class Example {
  readonly server: ServerProcess;
  readonly seen: SeenRequest[] = [];
  private readonly ports = new Map<number, number>();
  private readonly backEnds = new Map<number, http.Server>();
  private readonly sockets = new Set<Socket>();

  private constructor(program: Program) {
    this.server = new ServerProcess(program, "");
  }

  /** Starts the back ends, then `program`, and waits until it serves. Ports of the example from 9000 on are back ends. */
  static async start(name: string, program: Program, behave: Behaviour): Promise<Example> {
    const example = new Example(program);
    const { server } = example;
    cpSync(path.join(examples, name), server.folder, { recursive: true });
    const files = readdirSync(server.folder).filter((file) => file.endsWith(".conf"));
    const texts = files.map((file) => readFileSync(server.file(file), "utf8"));
    for (const match of texts.join("\n").matchAll(/(?:listen |127\.0\.0\.1:)(\d{4})\b/g)) {
      const port = Number(match[1]);
      if (example.ports.has(port)) continue;
      example.ports.set(port, await freePort());
      if (port >= 9000) await example.startBackEnd(port, behave);
    }
    for (const [i, file] of files.entries())
      writeFileSync(
        server.file(file),
        (texts[i] as string).replace(/(listen |127\.0\.0\.1:)(\d{4})\b/g, (_, before, port) => {
          const address = before === "listen " ? `${before}127.0.0.1:` : before;
          return `${address}${example.ports.get(Number(port))}`;
        }),
      );
    mkdirSync(server.file("logs"), { recursive: true });
    const user = process.getuid?.() === 0 ? "user root; " : "";
    await server.start("-c", "nginx.conf", "-e", "logs/error.log", "-g", `daemon off; ${user}`);
    return example;
  }

  private async startBackEnd(port: number, behave: Behaviour): Promise<void> {
    const server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        const seen = { backEnd: port, method, url, headers, body };
        this.seen.push(seen);
        if (!behave(seen, response)) response.end(`hello from ${port}`);
      });
    });
    server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    server.on("upgrade", ({ method = "", url = "", headers }, socket: Socket) => {
      this.seen.push({ backEnd: port, method, url, headers, body: "" });
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(this.port(port), "127.0.0.1", resolve));
    this.backEnds.set(port, server);
  }

  /** Where a port of the example's files really is. */
  port(port: number): number {
    return this.ports.get(port) as number;
  }

  /** Ends a back end as a crash does. */
  async kill(port: number): Promise<void> {
    const server = this.backEnds.get(port);
    this.backEnds.delete(port);
    server?.closeAllConnections();
    await new Promise((resolve) => server?.close(resolve));
  }

  /** The last request that a back end has seen. */
  last(...ports: readonly number[]): SeenRequest | undefined {
    return this.seen.findLast(({ backEnd }) => ports.includes(backEnd));
  }

  ask(
    listen: number,
    host: string,
    target: string,
    { method = "GET", headers = {}, body }: Asked = {},
  ): Promise<Answer> {
    const where = { host: "127.0.0.1", port: this.port(listen), path: target, method, agent: false as const };
    return new Promise((resolve, reject) => {
      const request = http.request({ ...where, headers: { host, ...headers } }, (response) => {
        let text = "";
        response.on("data", (data) => (text += data));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  /** Opens a WebSocket and sends a text through it; what comes back. */
  echo(listen: number, host: string, target: string, text: string, headers: Asked["headers"] = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const upgrade = { connection: "Upgrade", upgrade: "websocket", host, ...headers };
      const request = http.get({
        host: "127.0.0.1",
        port: this.port(listen),
        path: target,
        headers: upgrade,
        agent: false,
      });
      request.on("error", reject);
      request.on("response", (response) => reject(new Error(`no tunnel but ${response.statusCode}`)));
      request.on("upgrade", (_, socket) => {
        socket.once("data", (data: Buffer) => {
          socket.destroy();
          resolve(data.toString());
        });
        socket.write(text);
      });
    });
  }

  stop(): void {
    this.server.destroy();
    for (const socket of this.sockets) socket.destroy();
    for (const server of this.backEnds.values()) server.close();
  }
}
