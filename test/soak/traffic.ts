/** Traffic of all kinds for a soak: clients that behave, checked answer by answer, and clients and back ends that don't. */
import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Talker } from "../support/talker.ts";

const HOST = "127.0.0.1";
const UPLOAD = Buffer.alloc(100_000, "upload ");
const UPLOAD_SHA1 = createHash("sha1").update(UPLOAD).digest("hex");

/** One kind of traffic; rejects when what must succeed did not. */
type Kind = (port: number, agent: http.Agent) => Promise<void>;

/** GET, or POST with a body; the body of the answer. */
function ask(port: number, agent: http.Agent, path: string, body?: Buffer, headers = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const request = http.request({ host: HOST, port, path, method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (data) => chunks.push(data));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${path} answered ${response.statusCode}`));
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function expect(what: string, got: unknown, wanted: unknown): void {
  if (got !== wanted) throw new Error(`${what}: ${String(got).slice(0, 80)} instead of ${String(wanted).slice(0, 80)}`);
}

/** Writes bytes, waits, and goes away: by a reset or in good order. */
async function leave(port: number, bytes: string, waitMs: number, reset: boolean): Promise<void> {
  const socket = net.connect(port, HOST);
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("connect", resolve).once("error", resolve));
  socket.write(bytes);
  if (waitMs > 0) await sleep(waitMs);
  if (reset) socket.resetAndDestroy();
  else socket.destroy();
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: soak\r\n\r\n`;
const upgrade = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: soak\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n`;
const CONNECT = "CONNECT tunnel:80 HTTP/1.1\r\nHost: tunnel\r\n\r\n";
const ECHOED_PIECES = 10;

/** A conversation in an upgraded connection: every piece comes back before the next one is sent. */
async function echo(port: number): Promise<void> {
  const id = ++next;
  const talker = await Talker.connect(port);
  try {
    talker.send(upgrade(`/upgrade/${id}`));
    await talker.until(/^HTTP\/1.1 101 [\s\S]*\r\n\r\n$/);
    for (let i = 0; i < ECHOED_PIECES; i++) {
      const piece = `<${id} ${i} ${"x".repeat(i * 1000)}>`;
      talker.send(piece);
      await talker.until(new RegExp(`${piece}$`));
    }
  } finally {
    talker.end();
    await talker.closed;
  }
}

/** Requests through a tunnel that was asked for with CONNECT. */
async function connectThrough(port: number): Promise<void> {
  const id = ++next;
  const talker = await Talker.connect(port);
  try {
    talker.send(CONNECT);
    await talker.until(/^HTTP\/1.1 200 [\s\S]*\r\n\r\n$/);
    for (let i = 0; i < 3; i++) {
      talker.send(get(`/id/${id}-${i}`));
      await talker.until(new RegExp(`\r\n${id}-${i}(?:\r\n0\r\n\r\n)?$`));
    }
  } finally {
    talker.end();
    await talker.closed;
  }
}

let next = 0;

export const KINDS: Readonly<Record<string, Kind>> = {
  "proxied, small": async (port, agent) => {
    const id = ++next;
    expect("answer", (await ask(port, agent, `/id/${id}`)).toString(), `${id}`);
  },
  "proxied, 200 KB": async (port, agent) => {
    const id = ++next;
    expect("length", (await ask(port, agent, `/size/200000/${id}`)).length, 200_001 + `${id}`.length);
  },
  "uploaded, 100 KB": async (port, agent) => {
    const id = ++next;
    expect("hash", (await ask(port, agent, `/sum/${id}`, UPLOAD)).toString(), `${id} ${UPLOAD_SHA1}`);
  },
  "file, 1 MB": async (port, agent) => expect("length", (await ask(port, agent, "/files/large.bin")).length, 1_048_576),
  "compressed file": async (port, agent) => {
    const body = await ask(port, agent, "/files/page.html", undefined, { "accept-encoding": "gzip" });
    if (body.length === 0) throw new Error("an empty page");
  },
  "new connection": async (port) => {
    const agent = new http.Agent({ keepAlive: false });
    await ask(port, agent, "/id/1");
    agent.destroy();
  },
  "error page": async (port, agent) => {
    await ask(port, agent, "/files/none").catch((error: Error) =>
      expect("error", error.message, "/files/none answered 404"),
    );
  },
  "back end that resets": async (port, agent) => {
    await ask(port, agent, "/reset").catch((error: Error) => expect("error", error.message, "/reset answered 502"));
  },
  "upgraded, echoed": (port) => echo(port),
  "tunnel by CONNECT": (port) => connectThrough(port),
  "upgraded, back end that resets": async (port) => {
    const talker = await Talker.connect(port);
    talker.send(`${upgrade("/drop")}x`);
    await talker.closed;
    expect("start", talker.text.slice(0, 12), "HTTP/1.1 101");
  },
  "client that resets in an upgraded connection": (port) =>
    leave(port, `${upgrade("/upgrade")}${"x".repeat(50_000)}`, 5, true),
  "client that resets in a tunnel": (port) => leave(port, `${CONNECT}${get("/size/2000000/1")}`, 5, true),
  "client that leaves while it waits": (port) => leave(port, get("/slow/100/1"), 10, false),
  "client that resets in a large answer": (port) => leave(port, get("/size/2000000/1"), 5, true),
  "client that resets in a file": (port) => leave(port, get("/files/large.bin"), 1, true),
  "client that leaves in its body": (port) =>
    leave(port, "POST /sum/1 HTTP/1.1\r\nHost: soak\r\nContent-Length: 100000\r\n\r\nsome", 5, true),
  "client that leaves in its head": (port) => leave(port, "GET /id/1 HTTP/1.1\r\nHost:", 5, false),
  "client that sends nonsense": (port) => leave(port, "\x16\x03\x01\x02nonsense\r\n\r\n", 5, false),
};

/** Runs every kind side by side until it is stopped. */
export class Traffic {
  readonly counts = new Map<string, number>();
  readonly failures: string[] = [];
  #isStopped = false;
  readonly #loops: Promise<void>[];

  /** `pauseMs` is what each client rests between two requests. */
  constructor(port: number, clientsOfAKind: number, pauseMs: number) {
    this.#loops = Object.entries(KINDS).flatMap(([name, kind]) =>
      Array.from({ length: clientsOfAKind }, () => this.#loop(name, kind, port, pauseMs)),
    );
  }

  async #loop(name: string, kind: Kind, port: number, pauseMs: number): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#isStopped) {
      try {
        await kind(port, agent);
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      } catch (error) {
        if (this.failures.length < 100) this.failures.push(`${name}: ${(error as Error).message}`);
      }
      await sleep(pauseMs);
    }
    agent.destroy();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }
}
