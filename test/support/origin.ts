/** A well-behaved back end on node:http for tests under load: what it answers tells which request it was, and it counts. */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";

/**
 * `GET /id/N` answers "N"; `GET /size/BYTES/N` answers N and that many bytes; `POST /sum/N` answers N and the SHA-1 of the body;
 * `GET /slow/MS/N` waits first; `GET /reset` resets the connection. A request with Upgrade gets a connection that echoes; `/drop`
 * closes it after the first bytes.
 */
export class Origin {
  /** How often each path was asked for. */
  readonly counts = new Map<string, number>();
  private readonly server: http.Server;
  private readonly upgraded = new Set<Socket>();

  private constructor() {
    this.server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      const url = request.url ?? "";
      this.counts.set(url, (this.counts.get(url) ?? 0) + 1);
      const [, kind, first = "", second = ""] = url.split("/");
      if (kind === "sum") {
        const hash = createHash("sha1");
        request.on("data", (data) => hash.update(data));
        request.on("end", () => response.end(`${first} ${hash.digest("hex")}`));
        return;
      }
      request.resume();
      if (kind === "reset") request.socket.resetAndDestroy();
      else if (kind === "size") response.end(`${second} ${"x".repeat(Number(first))}`);
      else if (kind === "slow") setTimeout(() => response.end(second), Number(first));
      else response.end(first);
    });
    this.server.on("upgrade", (request, socket: Socket) => {
      this.upgraded.add(socket);
      socket.on("close", () => this.upgraded.delete(socket));
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n");
      if (request.url?.startsWith("/drop") === true) socket.once("data", () => socket.resetAndDestroy());
      else socket.pipe(socket);
    });
  }

  static async listen(): Promise<Origin> {
    const origin = new Origin();
    await new Promise<void>((resolve) => origin.server.listen(0, "127.0.0.1", 4096, resolve));
    return origin;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Paths that were asked for more than once. */
  get repeated(): string[] {
    return [...this.counts].flatMap(([url, count]) => (count > 1 ? [url] : []));
  }

  close(): void {
    for (const socket of this.upgraded) socket.destroy();
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** What a client did wrong or was done to it; the request's path is in it. */
export interface Failure {
  readonly path: string;
  readonly what: string;
}

/** Keep-alive clients that send a mix of requests through a proxy to an origin and check that each answer belongs to its request. */
export class MixedLoad {
  succeeded = 0;
  readonly failures: Failure[] = [];
  private isStopped = false;
  private readonly loops: Promise<void>[];
  private next = 0;

  constructor(port: number, clients: number) {
    this.loops = Array.from({ length: clients }, () => this.loop(port));
  }

  private async loop(port: number): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.isStopped) {
      const id = ++this.next;
      const { path, body, answer } = wanted(id);
      try {
        const got = await ask(port, agent, path, body);
        if (got === answer) this.succeeded++;
        else this.failures.push({ path, what: `answered ${got.slice(0, 80)}` });
      } catch (error) {
        this.failures.push({ path, what: String(error) });
      }
    }
    agent.destroy();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.loops);
  }
}

interface Wanted {
  readonly path: string;
  readonly body?: Buffer;
  readonly answer: string;
}

const REQUESTS: readonly ((id: number) => Wanted)[] = [
  (id) => ({ path: `/id/${id}`, answer: `${id}` }),
  (id) => ({ path: `/size/3000/${id}`, answer: `${id} ${"x".repeat(3000)}` }),
  (id) => {
    const body = Buffer.alloc(20_000, `${id}`);
    return { path: `/sum/${id}`, body, answer: `${id} ${createHash("sha1").update(body).digest("hex")}` };
  },
  (id) => ({ path: `/id/${id}`, answer: `${id}` }),
  (id) => ({ path: `/size/200000/${id}`, answer: `${id} ${"x".repeat(200_000)}` }),
  (id) => ({ path: `/slow/20/${id}`, answer: `${id}` }),
];

function wanted(id: number): Wanted {
  const make = REQUESTS[id % REQUESTS.length] as (id: number) => Wanted;
  return make(id);
}

function ask(port: number, agent: http.Agent, path: string, body: Buffer | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const request = http.request({ port, host: "127.0.0.1", path, method, agent }, (response) => {
      let text = "";
      response.setEncoding("latin1");
      response.on("data", (data) => (text += data));
      response.on("error", reject);
      response.on("end", () => resolve(response.statusCode === 200 ? text : `${response.statusCode}`));
    });
    request.on("error", reject);
    request.end(body);
  });
}
