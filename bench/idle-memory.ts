/** What idle keep-alive connections add to the memory of a server. */
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../test/support/server-process.ts";
import { treeMemoryKb } from "./process-tree.ts";
import { type Programs, SERVER_CPU } from "./programs.ts";
import { makeFolder, type ServerProgram, startServer } from "./server.ts";
import type { Report } from "./table.ts";
import { HTTP_WORKS } from "./works/http.ts";
import type { Work } from "./works/work.ts";
import { runWrk } from "./wrk.ts";

export const MEMORY_WORK = "idle memory";

const CONNECTIONS = 10_000;
const GOAL = 1.5;
const AT_A_TIME = 200;

/** Prints the growth by 10,000 idle connections of nginx and of Tandem. */
export async function compareMemory({ nginx, tandem }: Programs, report: Report): Promise<void> {
  const theirs = await growthKb(nginx);
  const ours = await growthKb(tandem);
  report.row("memory", nginx.name, tandem.name, "ratio", "goal");
  report.row("---", "--:", "--:", "--:", "--:");
  const name = `growth by ${CONNECTIONS} idle connections`;
  report.row(name, `${theirs} KiB`, `${ours} KiB`, `**${(ours / theirs).toFixed(2)}**`, `≤ ${GOAL}`);
}

async function growthKb(program: ServerProgram): Promise<number> {
  const { folder, remove } = makeFolder();
  const sockets: net.Socket[] = [];
  const port = await freePort();
  const configuration = (HTTP_WORKS[0] as Work).nginx({ port, backEndPort: port, events: "" });
  try {
    const server = await startServer(program, { folder, configuration, port, cpu: SERVER_CPU });
    try {
      await runWrk({ kind: "wrk", uri: "/ok", connections: 64 }, port, 1, folder);
      await sleep(500);
      const before = treeMemoryKb(server.pid);
      while (sockets.length < CONNECTIONS) {
        const count = Math.min(AT_A_TIME, CONNECTIONS - sockets.length);
        sockets.push(...(await Promise.all(Array.from({ length: count }, () => openIdle(port)))));
      }
      await sleep(1000);
      return treeMemoryKb(server.pid) - before;
    } finally {
      for (const socket of sockets) socket.destroy();
      await server.stop();
    }
  } finally {
    remove();
  }
}

/** A keep-alive connection that has had one answer. */
function openIdle(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("GET /ok HTTP/1.1\r\nHost: bench\r\n\r\n"));
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}
