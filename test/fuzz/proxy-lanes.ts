/**
 * A proxy with its back ends, in several configurations side by side: a lane is a virtual server with an upstream of its own, whose back end
 * says what the current case tells it to. Conversations of different lanes run at the same time, those of one lane one after another.
 */
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "../http-server.ts";
import { LAST_REQUEST, type ProxyCase } from "./proxy-cases.ts";
import { normalise, takeRequest, type View } from "./proxy-views.ts";

/** Directives of each kind of lane; every kind has several lanes. */
const KINDS = [
  "proxy_http_version 1.1;",
  "proxy_http_version 1.1; proxy_buffering off;",
  "proxy_http_version 1.1; ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;",
  "proxy_http_version 1.0; proxy_next_upstream off;",
  "proxy_http_version 1.1; proxy_request_buffering off;",
  "proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off; proxy_pass_trailers on;",
];
const LANES_OF_A_KIND = 4;
export const LANES = KINDS.length * LANES_OF_A_KIND;

/** Every other group of lanes keeps connections to its back end, which then never closes: who comes first would be chance. */
const isKeeping = (lane: number): boolean => Math.floor(lane / KINDS.length) % 2 === 0;

const CLIENT_TIMEOUT_MS = 5_000;
const PAUSE_MS = 15;

/** Short times: what a server waits for in vain is a part of its answer. */
const http = (sockets: string): string => `
  server_tokens off; access_log off; proxy_temp_path %DIR%/proxy;
  client_header_timeout 800ms; client_body_timeout 800ms; keepalive_timeout 800ms; send_timeout 2s; lingering_timeout 200ms;
  proxy_read_timeout 800ms; proxy_send_timeout 800ms; proxy_connect_timeout 2s; proxy_set_header Connection "";
  ${Array.from({ length: LANES }, (_, i) => `upstream back${i} { server unix:${sockets}/${i}; keepalive ${isKeeping(i) ? 4 : 0}; }`).join("\n")}
  server { listen 127.0.0.1:%PORT%; return 204; }
  ${Array.from(
    { length: LANES },
    (_, i) =>
      `server { listen unix:%DIR%/${i}; ${KINDS[i % KINDS.length]} location / { proxy_pass http://back${i}; } }`,
  ).join("\n")}`;

interface Lane {
  readonly server: net.Server;
  current: ProxyCase | undefined;
  seen: string[];
  /** How many requests of the current case were answered. */
  answered: number;
}

/** One program under test. */
export class ProxyLanes {
  readonly #sockets: string;
  readonly #lanes: readonly Lane[];
  readonly #server: TestServer;

  private constructor(sockets: string, lanes: readonly Lane[], server: TestServer) {
    this.#sockets = sockets;
    this.#lanes = lanes;
    this.#server = server;
  }

  static async start(binary?: string): Promise<ProxyLanes> {
    const sockets = mkdtempSync(path.join(os.tmpdir(), "tandem-fuzz-"));
    const lanes = Array.from({ length: LANES }, (_, i) => makeLane(!isKeeping(i)));
    await Promise.all(
      lanes.map((lane, i) => new Promise<void>((resolve) => lane.server.listen(path.join(sockets, `${i}`), resolve))),
    );
    const server = await TestServer.start(http(sockets), binary === undefined ? {} : { binary });
    return new ProxyLanes(sockets, lanes, server);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    for (const { server } of this.#lanes) server.close();
    rmSync(this.#sockets, { recursive: true, force: true });
  }

  /** Notices of broken assertions and worse: there must be none. */
  get alarms(): readonly string[] {
    return this.#server
      .log("error.log")
      .split("\n")
      .filter((line) => /\[(alert|emerg)\]/.test(line));
  }

  /** Runs one conversation; `lane` may be another of the same kind than the case asks for. */
  async run(one: ProxyCase): Promise<View> {
    const lane = this.#lanes[one.lane] as Lane;
    lane.current = one;
    lane.seen = [];
    lane.answered = 0;
    const { text, closed } = await converse(path.join(this.#server.folder, `${one.lane}`), one);
    // What a proxy has sent on before its client was told.
    await sleep(2);
    lane.current = undefined;
    return { client: normalise(text), closed, backEnd: lane.seen };
  }
}

function makeLane(closes: boolean): Lane {
  const lane: Lane = { server: net.createServer({ allowHalfOpen: true }), current: undefined, seen: [], answered: 0 };
  lane.server.on("connection", (socket) => {
    let text = "";
    let isOver = false;
    socket.on("error", () => {});
    socket.on("end", () => {
      // How much of a body came before its client went is chance.
      if (text !== "") lane.seen.push(`unfinished: ${text.slice(0, text.indexOf("\r\n\r\n") + 4)}`);
      socket.end();
    });
    socket.on("data", (data) => {
      // A request that crosses our end on the way has not arrived: the proxy sends it to another connection.
      if (isOver) return;
      text += data.toString("latin1");
      for (;;) {
        const taken = takeRequest(text);
        if (taken === undefined) return;
        text = taken.rest;
        lane.seen.push(taken.request);
        const answer = lane.current?.answers[lane.answered++];
        socket.write(answer?.bytes ?? usual(taken.request), "latin1");
        if (answer?.isLast !== true || !closes) continue;
        isOver = true;
        text = "";
        socket.end();
        return;
      }
    });
  });
  return lane;
}

/** Says which request it answers, so that an answer that reaches the wrong one is seen. */
function usual(request: string): string {
  const line = request.slice(0, request.indexOf("\r\n"));
  const body = line.startsWith("HEAD ") ? "" : line;
  return `HTTP/1.1 200 OK\r\nX-Line: ${line}\r\nContent-Length: ${line.length}\r\n\r\n${body}`;
}

function converse(socketPath: string, one: ProxyCase): Promise<{ readonly text: string; readonly closed: boolean }> {
  const bytes = `${one.client.join("")}${LAST_REQUEST}`;
  const cuts = [0, ...one.pauses.map((part) => Math.floor(part * bytes.length)), bytes.length];
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    let text = "";
    const done = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed });
    };
    const timer = setTimeout(() => done(false), CLIENT_TIMEOUT_MS);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("end", () => done(true));
    socket.on("error", () => done(true));
    socket.on("connect", async () => {
      for (const [i, cut] of cuts.entries()) {
        if (i === 0) continue;
        if (i > 1) await sleep(PAUSE_MS);
        if (!socket.destroyed) socket.write(bytes.slice(cuts[i - 1], cut), "latin1");
      }
    });
  });
}
