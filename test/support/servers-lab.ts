/**
 * A client, a director and servers in network namespaces (root only), for virtual servers.
 *
 *     client 10.61.0.2 ── 10.61.0.1 director 10.62.0.1 ── servers 10.62.0.11, .12, .13
 *            └── 10.62.0.2 ─────────────────────────────────┘   (the way back of direct routing)
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { StatusDocument } from "../../src/admin/status.ts";
import { askStatus } from "../../src/process/status-socket.ts";
import type { AgentCommand } from "./server-agent.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const AGENT = fileURLToPath(new URL("./server-agent.js", import.meta.url));

/** The service's address. */
export const VIP = "10.61.0.100";

function run(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

class Agent {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: string) => void>();
  #id = 0;

  constructor(namespace: string, name: string) {
    this.#process = spawn("ip", ["netns", "exec", namespace, process.execPath, AGENT, name], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("no standard output");
    createInterface({ input: stdout }).on("line", (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: string };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  perform(command: AgentCommand): Promise<string> {
    const id = ++this.#id;
    this.#process.stdin?.write(`${JSON.stringify({ id, command })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on("exit", resolve));
    this.#process.stdin?.end();
    await gone;
  }
}

/** A running director. */
export interface Director {
  readonly folder: string;
  readonly file: string;
  readonly pidFile: string;
  readonly checkersPidFile: string;
  log(): string;
  /** What `tandem status` would be told. */
  status(): Promise<StatusDocument>;
  isRunning(): boolean;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

let labs = 0;

export class ServersLab {
  readonly folder = mkdtempSync(path.join(tmpdir(), "tandem-lvs-"));
  readonly #name = `tls${process.pid}x${labs++}`;
  readonly #agents = new Map<string, Agent>();
  readonly #directors = new Set<Director>();
  readonly servers: readonly string[];

  /** Names of the servers; they answer with them. */
  constructor(servers: readonly string[] = ["one", "two", "three"]) {
    this.servers = servers;
    for (const host of ["client", "director", "switch", ...servers]) {
      run("ip", "netns", "add", this.namespace(host));
      this.ip(host, "link", "set", "lo", "up");
    }
    this.ip("switch", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    this.ip("switch", "link", "set", "br0", "up");
    this.ip(
      "client",
      "link",
      "add",
      "eth0",
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      "netns",
      this.namespace("director"),
    );
    this.#address("client", "eth0", "10.61.0.2/24", "10.61.0.3/24", "10.61.0.4/24", "10.61.0.5/24");
    this.#address("director", "eth0", "10.61.0.1/24", `${VIP}/32`);
    this.#plug("director", "10.62.0.1/24");
    this.#plug("client", "10.62.0.2/24");
    servers.forEach((server, index) => {
      this.#plug(server, `10.62.0.${11 + index}/24`);
      this.ip(server, "route", "add", "default", "via", "10.62.0.1");
    });
    this.sysctl("director", "net.ipv4.ip_forward", "1");
    for (const host of ["client", "director"]) this.sysctl(host, "net.ipv4.conf.all.rp_filter", "0");
    for (const host of ["client", ...servers]) this.#agents.set(host, new Agent(this.namespace(host), host));
  }

  #plug(host: string, address: string): void {
    this.ip(host, "link", "add", "eth1", "type", "veth", "peer", "name", `p${host}`, "netns", this.namespace("switch"));
    this.ip("switch", "link", "set", `p${host}`, "master", "br0", "up");
    this.#address(host, "eth1", address);
  }

  #address(host: string, link: string, ...addresses: string[]): void {
    for (const address of addresses) this.ip(host, "addr", "add", address, "dev", link);
    this.ip(host, "link", "set", link, "up");
  }

  namespace(host: string): string {
    return `${this.#name}${host}`;
  }

  /** Runs `ip` inside a host. */
  ip(host: string, ...args: string[]): string {
    return run("ip", "-n", this.namespace(host), ...args);
  }

  /** Runs any program inside a host. */
  inside(host: string, program: string, ...args: string[]): string {
    return run("ip", "netns", "exec", this.namespace(host), program, ...args);
  }

  sysctl(host: string, name: string, value: string): void {
    this.inside(host, "sysctl", "-qw", `${name}=${value}`);
  }

  /** The services' address on the servers, without a word about it on the wire: what direct routing needs. */
  prepareDirectRouting(): void {
    for (const server of this.servers) {
      this.sysctl(server, "net.ipv4.conf.all.arp_ignore", "1");
      this.sysctl(server, "net.ipv4.conf.all.arp_announce", "2");
      this.sysctl(server, "net.ipv4.conf.all.rp_filter", "0");
      this.ip(server, "addr", "add", `${VIP}/32`, "dev", "lo");
      // The answers go to the client by another way than the director.
      this.ip(server, "route", "add", "10.61.0.0/24", "via", "10.62.0.2");
    }
  }

  /** Lets a host do something. */
  perform(host: string, command: AgentCommand): Promise<string> {
    const agent = this.#agents.get(host);
    if (agent === undefined) throw new Error(`no host ${host}`);
    return agent.perform(command);
  }

  /** What the client hears so many times. */
  async ask(times: number, more: { port?: number; protocol?: "tcp" | "udp"; from?: string; fromPort?: number } = {}) {
    const { port = 80, protocol = "tcp", ...own } = more;
    const heard: string[] = [];
    for (let i = 0; i < times; i++)
      heard.push(await this.perform("client", { kind: "ask", protocol, host: VIP, port, ...own }));
    return heard;
  }

  /** Starts Tandem's keepalived, on the director unless told otherwise. */
  start(config: string, flags: readonly string[] = ["-C"], host = "director"): Director {
    const prefix = path.join(this.folder, host);
    const file = `${prefix}.conf`;
    writeFileSync(file, config);
    const [pidFile, checkersPidFile] = [`${prefix}.pid`, `${prefix}.checkers.pid`];
    const paths = [
      "-p",
      pidFile,
      "-r",
      `${prefix}.vrrp.pid`,
      "-c",
      checkersPidFile,
      "--status-socket",
      `${prefix}.sock`,
    ];
    const args = ["-f", file, "-n", "-l", "-D", "-G", ...flags, ...paths];
    const command = ["netns", "exec", this.namespace(host), path.join(root, "bin/keepalived"), ...args];
    const child = spawn("ip", command, { stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (part) => {
        log += part;
      });
    const gone = new Promise<void>((resolve) => child.on("exit", () => resolve()));
    const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
    const director: Director = {
      folder: this.folder,
      file,
      pidFile,
      checkersPidFile,
      log: () => log,
      status: () => askStatus(`${prefix}.sock`),
      isRunning,
      stop: async (signal = "SIGTERM") => {
        this.#directors.delete(director);
        if (isRunning()) child.kill(signal); // `ip netns exec` has become it
        await gone;
      },
    };
    this.#directors.add(director);
    return director;
  }

  /** The process id in a file. */
  pid(file: string): number {
    return Number(readFileSync(file, "latin1"));
  }

  /** What nf_tables has on the director. */
  rules(): string {
    return this.inside("director", "nft", "list", "ruleset");
  }

  /** Ends everything and removes the namespaces. */
  async close(): Promise<void> {
    await Promise.all([...this.#directors].map((director) => director.stop()));
    await Promise.all([...this.#agents.values()].map((agent) => agent.close()));
    for (const host of ["client", "director", "switch", ...this.servers]) {
      const name = this.namespace(host);
      if (existsSync(`/run/netns/${name}`)) run("ip", "netns", "del", name);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
