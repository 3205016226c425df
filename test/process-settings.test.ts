/** What the configuration asks of processes and of listening sockets, as the kernel knows it: ours next to nginx's. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import os from "node:os";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { close } from "../src/os/ffi/files.ts";
import { native } from "../src/os/ffi/native.ts";
import { pidfdOpen } from "../src/os/ffi/pidfd.ts";
import { IPPROTO_TCP, SOL_SOCKET } from "../src/os/ffi/sockets.ts";
import { allocateMemory } from "../src/os/memory.ts";
import { SocketOptions } from "../src/os/socket-options.ts";
import { installedNginx, TestServer } from "./http-server.ts";
import { freePort } from "./support/server-process.ts";

const nginx = installedNginx();
const skip =
  nginx === undefined ? "nginx is not installed" : process.getuid?.() === 0 ? false : "only root may look into workers";

/** Starts both with this configuration, and stops them when the facts of each have been looked up. */
async function factsOfBoth<F>(
  http: string,
  main: string,
  facts: (server: TestServer) => F | Promise<F>,
): Promise<readonly [F, F]> {
  const ours = await TestServer.start(http, { main });
  try {
    const theirs = await TestServer.start(http, { main, binary: nginx as string });
    try {
      return [await facts(ours), await facts(theirs)];
    } finally {
      await theirs.stop();
    }
  } finally {
    await ours.stop();
  }
}

/** A worker that works has its title. */
async function workerOf({ pid }: TestServer): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ").map(Number);
    const worker = children.find((child) => titleOf(child).startsWith("nginx: worker process"));
    if (worker !== undefined) return worker;
    await sleep(10);
  }
  assert.fail("a worker");
}

/** "" of a process that has just gone. */
function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

const SERVER = "server { listen 127.0.0.1:%PORT%; return 200 x; }";

test("limits, priority, processors and the current folder of a worker", { skip }, async () => {
  const main =
    "worker_rlimit_nofile 1500; worker_rlimit_core 3m; worker_priority 7; worker_cpu_affinity 1; working_directory %DIR%/html;";
  const facts = async (server: TestServer) => {
    const worker = await workerOf(server);
    const limits = readFileSync(`/proc/${worker}/limits`, "latin1");
    const status = readFileSync(`/proc/${worker}/status`, "latin1");
    const line = (text: string, name: string): string | undefined =>
      text.split("\n").find((one) => one.startsWith(name));
    return {
      files: line(limits, "Max open files"),
      core: line(limits, "Max core file size"),
      nice: readFileSync(`/proc/${worker}/stat`, "latin1")
        .replace(/^.*\) /, "")
        .split(" ")[16],
      processors: line(status, "Cpus_allowed_list"),
      folder: readlinkSync(`/proc/${worker}/cwd`).replace(server.folder, ""),
      users: [line(status, "Uid"), line(status, "Gid"), line(status, "Groups")],
    };
  };
  const [ours, theirs] = await factsOfBoth(SERVER, main, facts);
  assert.deepEqual(ours, theirs);
  assert.equal(ours.nice, "7");
  assert.match(ours.files ?? "", / 1500 +1500 /);
});

test("processors by turns, and those that may be used with auto", { skip }, async () => {
  const list = async (server: TestServer): Promise<string | undefined> =>
    /^Cpus_allowed_list:.*$/m.exec(readFileSync(`/proc/${await workerOf(server)}/status`, "latin1"))?.[0];
  for (const main of ["", "worker_cpu_affinity auto;", "worker_cpu_affinity auto 01;"]) {
    const [ours, theirs] = await factsOfBoth(SERVER, main, list);
    assert.equal(ours, theirs, main);
  }
});

// ---- sockets

const getfd = native<(number: number, pidfd: number, fd: number, flags: number) => number>(
  "long syscall(long number, long pidfd, long fd, long flags)",
);
const getsockopt = native<(fd: number, level: number, name: number, value: number, length: number) => number>(
  "int getsockopt(int fd, int level, int name, uint64_t value, uint64_t length)",
);
/** The same number on every architecture. */
const SYS_PIDFD_GETFD = 438;
const TCP_INFO = 11;
/** Of `struct tcp_info` for a listening socket: tcpi_sacked, its backlog. */
const BACKLOG_WORD = 7;
const OPTIONS = {
  reuseAddress: [SOL_SOCKET, 2],
  sendBuffer: [SOL_SOCKET, 7],
  receiveBuffer: [SOL_SOCKET, 8],
  keepAlive: [SOL_SOCKET, 9],
  reusePort: [SOL_SOCKET, 15],
  protocol: [SOL_SOCKET, 38],
  noDelay: [IPPROTO_TCP, 1],
  keepIdle: [IPPROTO_TCP, 4],
  keepInterval: [IPPROTO_TCP, 5],
  keepCount: [IPPROTO_TCP, 6],
  deferAccept: [IPPROTO_TCP, 9],
  fastOpen: [IPPROTO_TCP, 23],
  ipv6Only: [41, 26],
} as const;

/** What the kernel says of the socket that a process listens with on a port. */
function socketFacts(pid: number, port: number): Readonly<Record<string, number | undefined>> {
  const memory = allocateMemory(4096);
  const words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, 64);
  const options = new SocketOptions(allocateMemory(4096));
  const pidfd = pidfdOpen(pid);
  assert.ok(pidfd >= 0);
  try {
    for (const name of readdirSync(`/proc/${pid}/fd`)) {
      if (!readlinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:")) continue;
      const fd = Number(getfd(SYS_PIDFD_GETFD, pidfd, Number(name), 0));
      assert.ok(fd >= 0, "pidfd_getfd");
      try {
        const local = options.localEndpoint(fd);
        if (!("port" in local) || local.port !== port) continue;
        const facts = Object.entries(OPTIONS).map(([key, [level, option]]) => [key, options.getInt(fd, level, option)]);
        words[0] = 104;
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, memory.address + 4, memory.address);
        return { ...Object.fromEntries(facts), backlog: words[1 + BACKLOG_WORD] };
      } finally {
        close(fd);
      }
    }
  } finally {
    close(pidfd);
  }
  assert.fail(`nothing listens on ${port}`);
}

test("every parameter of listen", { skip }, async () => {
  const hasIpv6 = Object.values(os.networkInterfaces())
    .flat()
    .some((one) => one?.address === "::1");
  const listens = [
    "127.0.0.1:PORT",
    "127.0.0.1:PORT backlog=7",
    "127.0.0.1:PORT rcvbuf=64k sndbuf=32k",
    "127.0.0.1:PORT deferred",
    "127.0.0.1:PORT fastopen=9",
    "127.0.0.1:PORT so_keepalive=on",
    "127.0.0.1:PORT so_keepalive=off",
    "127.0.0.1:PORT so_keepalive=30m:7:3",
    "127.0.0.1:PORT so_keepalive=::5",
    "127.0.0.1:PORT reuseport",
    "127.0.0.1:PORT bind",
    "PORT",
    "*:PORT",
    ...(hasIpv6 ? ["[::1]:PORT", "[::]:PORT", "[::]:PORT ipv6only=off", "[::]:PORT ipv6only=on backlog=9"] : []),
    ...(installedNginx(31) === undefined ? [] : ["127.0.0.1:PORT multipath"]),
  ];
  for (const listen of listens) {
    const ports: number[] = [];
    // Each server has a port of its own for it.
    const facts = async (binary?: string) => {
      const port = await freePort();
      ports.push(port);
      const server = await TestServer.start(
        `${SERVER} server { listen ${listen.replace("PORT", String(port))}; return 200 y; }`,
        binary === undefined ? {} : { binary },
      );
      try {
        return socketFacts(server.pid, port);
      } finally {
        await server.stop();
      }
    };
    assert.deepEqual(await facts(), await facts(nginx), listen);
  }
});

test("what a reload changes of a listening socket", { skip }, async () => {
  const changes = [
    ["deferred backlog=11", "rcvbuf=64k"],
    ["so_keepalive=on", "so_keepalive=off backlog=13"],
    ["", "fastopen=4 deferred"],
    ...(installedNginx(31) === undefined ? [] : [["", "multipath"] as const, ["multipath", ""] as const]),
  ] as const;
  for (const [first, second] of changes) {
    const facts = async (binary?: string) => {
      const port = await freePort();
      const http = (parameters: string): string =>
        `${SERVER} server { listen 127.0.0.1:${port} ${parameters}; return 200 y; }`;
      const server = await TestServer.start(http(first), binary === undefined ? {} : { binary });
      try {
        server.rewrite(http(second));
        server.signal("SIGHUP");
        for (
          let tries = 0;
          tries < 500 && !/worker process \d+ exited with code 0/.test(server.log("error.log"));
          tries++
        )
          await sleep(10);
        return socketFacts(server.pid, port);
      } finally {
        await server.stop();
      }
    };
    assert.deepEqual(await facts(), await facts(nginx), `${first} → ${second}`);
  }
});
