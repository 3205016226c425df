/**
 * A program that a node runs behind its web server for exchanges that last: answers that trickle, uploads that are counted,
 * tunnels that echo (`Upgrade: websocket`; what goes through is lines, no frames: a proxy does not look inside).
 */
import http from "node:http";
import type { Socket } from "node:net";
import { BACK_END_PORT, DOWNLOAD_END, TICK_MS } from "./streams.ts";

function main(): void {
  const server = http.createServer((request, response) => {
    if (request.method === "POST") count(request, response);
    else trickle(Number(new URL(request.url ?? "/", "http://x").searchParams.get("ms")), response);
  });
  server.on("upgrade", (_request: http.IncomingMessage, socket: Socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.requestTimeout = 0;
  server.listen(BACK_END_PORT, "127.0.0.1");
}

/** A line every tick until the time is over. */
function trickle(lastsMs: number, response: http.ServerResponse): void {
  response.writeHead(200, { "Content-Type": "text/plain" });
  let left = Math.ceil(lastsMs / TICK_MS);
  const timer = setInterval(() => {
    if (left-- > 0) response.write("tick\n");
    else {
      clearInterval(timer);
      response.end(DOWNLOAD_END);
    }
  }, TICK_MS);
  response.on("close", () => clearInterval(timer));
}

/** Says how many bytes have come. */
function count(request: http.IncomingMessage, response: http.ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on("end", () => response.end(String(bytes)));
  request.on("error", () => response.destroy());
}

main();
