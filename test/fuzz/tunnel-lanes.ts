/** A proxy whose locations let connections be upgraded, or answer CONNECT: a lane is a server with a back end that does what a case says. */
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "../http-server.ts";
import { normalise } from "./proxy-views.ts";
import type { TunnelCase } from "./tunnel-cases.ts";

const UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;";
/** What each kind of lane is; SOCKET is its back end. */
const PROXY_KINDS = [
  `location / { proxy_pass http://SOCKET; ${UPGRADE} }`,
  `location / { proxy_pass http://SOCKET; ${UPGRADE} proxy_buffering off; }`,
  `location / { proxy_pass http://SOCKET; ${UPGRADE} proxy_request_buffering off; }`,
  "location / { proxy_pass http://SOCKET; }",
];
const CONNECT_KINDS = ["tunnel_pass SOCKET;", "location / { tunnel_pass SOCKET; }"];
const LANES_OF_A_KIND = 3;

/** Which lanes there are: CONNECT is an affair of nginx since 1.31. */
export class TunnelPlan {
  readonly kinds: readonly string[];
  readonly lanes: number;

  constructor(withConnect: boolean) {
    this.kinds = withConnect ? [...PROXY_KINDS, ...CONNECT_KINDS] : PROXY_KINDS;
    this.lanes = this.kinds.length * LANES_OF_A_KIND;
  }

  isConnect(lane: number): boolean {
    return lane % this.kinds.length >= PROXY_KINDS.length;
  }
}

/** Both ends of a conversation. */
export interface TunnelView {
  readonly client: string;
  readonly closed: boolean;
  /** What each connection to the back end has brought, and whether it was ended. */
  readonly backEnd: readonly string[];
}

/** Time for bytes to cross two sockets. */
const STEP_MS = 12;
const PATIENCE_MS = 3_000;

interface Lane {
  readonly server: net.Server;
  current: TunnelCase | undefined;
  seen: { text: string; ended: boolean }[];
  socket: net.Socket | undefined;
  drop(): void;
}

/** One program under test. */
export class TunnelLanes {
  readonly #sockets: string;
  readonly #lanes: readonly Lane[];
  readonly #server: TestServer;

  private constructor(sockets: string, lanes: readonly Lane[], server: TestServer) {
    this.#sockets = sockets;
    this.#lanes = lanes;
    this.#server = server;
  }

  static async start(plan: TunnelPlan, binary?: string): Promise<TunnelLanes> {
    const sockets = mkdtempSync(path.join(os.tmpdir(), "tandem-tunnel-"));
    const lanes = Array.from({ length: plan.lanes }, makeLane);
    await Promise.all(
      lanes.map((lane, i) => new Promise<void>((resolve) => lane.server.listen(path.join(sockets, `${i}`), resolve))),
    );
    const block = (_: Lane, i: number): string =>
      `server { listen unix:%DIR%/${i}; ${(plan.kinds[i % plan.kinds.length] as string).replaceAll("SOCKET", `unix:${sockets}/${i}`)} }`;
    const http = `server_tokens off; access_log off; proxy_temp_path %DIR%/proxy; proxy_read_timeout 600ms; proxy_send_timeout 600ms;
      client_header_timeout 600ms; client_body_timeout 600ms; keepalive_timeout 600ms; lingering_timeout 200ms;
      ${plan.kinds.length > PROXY_KINDS.length ? "tunnel_read_timeout 600ms;" : ""}
      server { listen 127.0.0.1:%PORT%; return 204; } ${lanes.map(block).join("\n")}`;
    const server = await TestServer.start(http, binary === undefined ? {} : { binary });
    return new TunnelLanes(sockets, lanes, server);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    for (const { server } of this.#lanes) server.close();
    rmSync(this.#sockets, { recursive: true, force: true });
  }

  get alarms(): readonly string[] {
    return this.#server
      .log("error.log")
      .split("\n")
      .filter((line) => /\[(alert|emerg)\]/.test(line));
  }

  async run(one: TunnelCase): Promise<TunnelView> {
    const lane = this.#lanes[one.lane] as Lane;
    lane.current = one;
    lane.seen = [];
    lane.socket = undefined;
    const client = net.connect({ path: path.join(this.#server.folder, `${one.lane}`), allowHalfOpen: true });
    let text = "";
    let closed = false;
    client.on("error", () => {});
    client.on("data", (data) => (text += data.toString("latin1")));
    client.on("end", () => (closed = true));
    client.on("close", () => (closed = true));
    client.write(one.request, "latin1");
    await sleep(2 * STEP_MS);
    for (const { who, bytes } of one.steps) {
      const socket = who === "client" ? client : lane.socket;
      if (socket === undefined || !socket.writable || (who === "client" && closed)) continue;
      if (bytes === undefined) socket.end();
      else socket.write(bytes, "latin1");
      await sleep(STEP_MS);
    }
    const deadline = Date.now() + PATIENCE_MS;
    while (!closed && Date.now() < deadline) await sleep(STEP_MS);
    await sleep(STEP_MS);
    client.destroy();
    // Whether a connection is kept behind a usual answer is nothing that either end can see.
    const isTunnel = one.answer.includes(" 101") || one.request.startsWith("CONNECT ");
    const backEnd = lane.seen.map((seen) => `${seen.text}${isTunnel && seen.ended ? "<end>" : ""}`);
    lane.current = undefined;
    lane.drop();
    return { client: normalise(text), closed, backEnd };
  }
}

function makeLane(): Lane {
  const lane: Lane = {
    server: net.createServer({ allowHalfOpen: true }),
    current: undefined,
    seen: [],
    socket: undefined,
    drop: () => lane.socket?.destroy(),
  };
  lane.server.on("connection", (socket) => {
    const seen = { text: "", ended: false };
    let isAnswered = false;
    lane.seen.push(seen);
    lane.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => (seen.ended = true));
    socket.on("end", () => {
      seen.ended = true;
      socket.end();
    });
    socket.on("data", (data) => {
      seen.text += data.toString("latin1");
      if (isAnswered || lane.current === undefined) return;
      // A tunnel has no head: then whatever comes is answered.
      if (/^[A-Z]+ [^\r\n]* HTTP\/1/.test(seen.text) && !seen.text.includes("\r\n\r\n")) return;
      isAnswered = true;
      if (lane.current.answer !== "") socket.write(lane.current.answer, "latin1");
    });
  });
  return lane;
}
