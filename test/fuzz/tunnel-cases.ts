/** Conversations that want to become tunnels, by Upgrade or CONNECT, with clients and back ends that mean something else. A seed decides. */
import { Random } from "../sim/random.ts";

/** One thing that happens, behind the one before it. */
export type Step =
  | { readonly who: "client" | "back end"; readonly bytes: string }
  /** It sends no more. */
  | { readonly who: "client" | "back end"; readonly bytes: undefined };

export interface TunnelCase {
  readonly seed: number;
  readonly lane: number;
  /** The request, with what comes right behind it. */
  readonly request: string;
  /** The back end's answer to it, with what comes right behind. */
  readonly answer: string;
  readonly steps: readonly Step[];
}

const BYTES = [
  "x",
  "hello",
  "\r\n",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "\x81\x05hello",
  "GET /smuggled HTTP/1.1\r\nHost: fuzz\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
  "y".repeat(20_000),
];
const UPGRADES = ["raw", "raw", "websocket", "h2c", "", "raw, websocket", "HTTP/2.0", "\x01"];
const CONNECTIONS = [
  "upgrade",
  "upgrade",
  "Upgrade",
  "keep-alive, Upgrade",
  "close",
  "upgrade, close",
  "keep-alive",
  "x",
  "",
];
const STATUS_LINES = [
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 101",
  "HTTP/1.0 101 x",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 400 Bad Request",
  "HTTP/1.1 426 Upgrade Required",
  "HTTP/1.1 502 x",
];
const ANSWER_LINES = [
  "Upgrade: raw",
  "Connection: upgrade",
  "Connection: close",
  "Connection: keep-alive",
  "Content-Length: 5",
  "Content-Length: 0",
  "Transfer-Encoding: chunked",
  "X-Accel-Redirect: /other",
  "X-Accel-Buffering: no",
  "Sec-WebSocket-Accept: x",
  "X-Nul: a\0b",
];
const TARGETS = [
  "fuzz:80",
  "fuzz:80",
  "fuzz",
  "other:1",
  "127.0.0.1:1",
  "fuzz:0",
  "fuzz:99999",
  "/",
  "http://fuzz/",
  "[::1]:80",
  "",
];
const METHODS = ["GET", "GET", "GET", "GET", "POST", "HEAD", "OPTIONS"];

/** A conversation from a seed. `isConnect` tells which lanes take CONNECT. */
export function makeTunnelCase(seed: number, lanes: number, isConnect: (lane: number) => boolean): TunnelCase {
  const random = new Random(seed);
  const lane = random.integer(0, lanes - 1);
  const wantsConnect = random.chance(isConnect(lane) ? 0.9 : 0.05);
  const request = wantsConnect ? connectRequest(random) : upgradeRequest(random);
  const early = random.chance(0.3) ? random.pick(BYTES) : "";
  const late = random.chance(0.3) ? random.pick(BYTES) : "";
  return {
    seed,
    lane,
    request: `${request}${early}`,
    answer: `${isConnect(lane) && random.chance(0.8) ? "" : answer(random)}${late}`,
    steps: steps(random),
  };
}

function connectRequest(random: Random): string {
  const version = random.chance(0.85) ? "HTTP/1.1" : random.pick(["HTTP/1.0", "HTTP/2.0", ""]);
  const lines = [`Host: ${random.pick(["fuzz", "fuzz:80", "other"])}`];
  if (random.chance(0.2))
    lines.push(random.pick(["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"]));
  return `CONNECT ${random.pick(TARGETS)} ${version}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function upgradeRequest(random: Random): string {
  const lines = ["Host: fuzz"];
  if (random.chance(0.9)) lines.push(`Upgrade: ${random.pick(UPGRADES)}`);
  if (random.chance(0.9)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`);
  if (random.chance(0.1)) lines.push(random.pick(["Upgrade: other", "Connection: upgrade", "Sec-WebSocket-Key: x"]));
  const method = random.pick(METHODS);
  const hasBody = method === "POST" || random.chance(0.05);
  if (hasBody) lines.push(random.chance(0.7) ? "Content-Length: 5" : "Transfer-Encoding: chunked");
  const body = !hasBody ? "" : (lines.at(-1) as string).startsWith("C") ? "hello" : "5\r\nhello\r\n0\r\n\r\n";
  const version = random.chance(0.9) ? "HTTP/1.1" : "HTTP/1.0";
  return `${method} /up ${version}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

function answer(random: Random): string {
  const lines = random.chance(0.8) ? ["Upgrade: raw", "Connection: upgrade"] : [];
  for (let count = random.chance(0.5) ? random.integer(1, 2) : 0; count > 0; count--)
    lines.push(random.pick(ANSWER_LINES));
  const before = random.chance(0.1)
    ? random.pick(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
    : "";
  return `${before}${random.pick(STATUS_LINES)}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

function steps(random: Random): readonly Step[] {
  const all: Step[] = [];
  for (let count = random.integer(0, 5); count > 0; count--) {
    const who = random.chance(0.5) ? "client" : "back end";
    all.push({ who, bytes: random.chance(0.15) ? undefined : random.pick(BYTES) });
  }
  return all;
}
