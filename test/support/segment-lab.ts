/** A switch and hosts in network namespaces (root only), and keepalived or Tandem running on the hosts: for protocol tests. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Why these tests can't run here; undefined when they can. */
export function missingForLab(programs: readonly string[] = []): string | undefined {
  if (process.getuid?.() !== 0) return "needs root for network namespaces";
  for (const program of ["ip", ...programs])
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  const attempt = spawnSync("unshare", ["--net", "true"], { encoding: "utf8" });
  return attempt.status === 0 ? undefined : `no network namespaces: ${attempt.stderr.trim()}`;
}

function ip(...args: string[]): string {
  const result = spawnSync("ip", args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`ip ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** Waits until the condition holds; fails with `what` after `limitMs`. */
export async function until(what: string, isTrue: () => boolean, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(20);
  }
}

/** A running daemon; `log` grows. */
export interface Daemon {
  readonly process: ChildProcess;
  readonly pidFile: string;
  readonly vrrpPidFile: string;
  readonly statusSocket: string;
  readonly configFile: string;
  log(): string;
  /** Ends it and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * A guard gives routers away and this node takes them. Its log tells, from `logFrom` on: the better node may be back before anybody has looked
 * at the addresses. Instances are named VI_ and their VRID.
 */
export async function untilTaken(taker: Daemon, vrids: readonly number[], logFrom: number): Promise<void> {
  for (const line of ["Backup received priority 0 advertisement", "Entering MASTER STATE"])
    await until(`${line}, of every router`, () => {
      const log = taker.log().slice(logFrom);
      return vrids.every((vrid) => log.includes(`(VI_${vrid}) ${line}`));
    });
}

let labs = 0;

/** Hosts `a`, `b`, `c`, … at 192.168.50.133, .134, … on one switch, each with its `eth0`. */
export class SegmentLab {
  readonly folder = mkdtempSync(path.join(tmpdir(), "tandem-vrrp-"));
  readonly #name = `tvr${process.pid}x${labs++}`;
  readonly #hosts: readonly string[];
  readonly #daemons = new Set<Daemon>();
  #started = 0;

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts;
    const fabric = this.namespace("switch");
    ip("netns", "add", fabric);
    ip("-n", fabric, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    ip("-n", fabric, "link", "set", "br0", "up");
    hosts.forEach((host, i) => {
      const name = this.namespace(host);
      ip("netns", "add", name);
      ip("-n", name, "link", "set", "lo", "up");
      ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", `p${host}`, "netns", fabric);
      ip("-n", fabric, "link", "set", `p${host}`, "master", "br0", "up");
      ip("-n", name, "addr", "add", `192.168.50.${133 + i}/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
    });
  }

  namespace(host: string): string {
    return `${this.#name}${host}`;
  }

  /** Runs `ip` inside a host. */
  ip(host: string, ...args: string[]): string {
    return ip("-n", this.namespace(host), ...args);
  }

  /** Pulls a host's cable out of the switch, or puts it back: its carrier stays. */
  setPlugged(host: string, isPlugged: boolean): void {
    const [fabric, port] = [this.namespace("switch"), `p${host}`];
    if (isPlugged) ip("-n", fabric, "link", "set", port, "master", "br0");
    else ip("-n", fabric, "link", "set", port, "nomaster");
  }

  /** True when the host has this address. */
  holds(host: string, address: string): boolean {
    return this.holdsAll(host, [address]);
  }

  holdsAll(host: string, addresses: readonly string[]): boolean {
    const shown = this.ip(host, "-o", "addr", "show", "dev", "eth0");
    return addresses.every((address) => shown.includes(` ${address}/`));
  }

  holdsNone(host: string, addresses: readonly string[]): boolean {
    const shown = this.ip(host, "-o", "addr", "show", "dev", "eth0");
    return addresses.every((address) => !shown.includes(` ${address}/`));
  }

  /** True when the host has this address on any of its links: a virtual MAC has one of its own. */
  holdsAnywhere(host: string, address: string): boolean {
    return this.ip(host, "-o", "addr", "show").includes(` ${address}/`);
  }

  /** Starts `keepalived` (the real one) or Tandem's on a host, in the foreground, logging to its standard error. */
  start(program: "tandem" | "keepalived", host: string, config: string): Daemon {
    const prefix = path.join(this.folder, `${host}${this.#started++}`);
    writeFileSync(`${prefix}.conf`, config);
    const command = program === "tandem" ? path.join(root, "bin/keepalived") : "keepalived";
    const [pidFile, vrrpPidFile, statusSocket] = [`${prefix}.pid`, `${prefix}.vrrp.pid`, `${prefix}.sock`];
    const args = ["-f", `${prefix}.conf`, "-n", "-l", "-D", "-G", "-P", "-p", pidFile, "-r", vrrpPidFile];
    args.push("-b", `${prefix}.bfd.pid`);
    if (program === "tandem") args.push("--status-socket", statusSocket);
    const child = spawn("ip", ["netns", "exec", this.namespace(host), command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    child.stdout.on("data", (part) => {
      log += part;
    });
    child.stderr.on("data", (part) => {
      log += part;
    });
    const gone = new Promise<void>((resolve) => child.on("exit", () => resolve()));
    const daemon: Daemon = {
      process: child,
      pidFile,
      vrrpPidFile,
      statusSocket,
      configFile: `${prefix}.conf`,
      log: () => log,
      stop: async (signal = "SIGTERM") => {
        this.#daemons.delete(daemon);
        if (child.exitCode === null && child.signalCode === null) child.kill(signal); // `ip netns exec` has become it
        await gone;
      },
    };
    this.#daemons.add(daemon);
    return daemon;
  }

  /** Another configuration for a daemon, which it reads when it is told to. */
  write(daemon: Daemon, config: string): void {
    writeFileSync(daemon.configFile, config);
  }

  /** Starts a compiled script of the tests inside a host. */
  script(host: string, file: string, args: readonly string[]): ChildProcess {
    return spawn("ip", ["netns", "exec", this.namespace(host), process.execPath, file, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
  }

  /** Ends everything and removes the namespaces. */
  async close(): Promise<void> {
    await Promise.all([...this.#daemons].map((daemon) => daemon.stop()));
    for (const host of ["switch", ...this.#hosts]) {
      const name = this.namespace(host);
      if (existsSync(`/run/netns/${name}`)) ip("netns", "del", name);
    }
    rmSync(this.folder, { recursive: true });
  }
}
