/** FRR's bfdd or vrrpd, with the zebra that they ask for interfaces, on a host of a segment lab. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type SegmentLab, until } from "./segment-lab.ts";

const FOLDER = "/usr/lib/frr";
const USER = "frr";

/** Why FRR can't be a neighbour here; undefined when it can. */
export function missingFrr(daemon: "bfdd" | "vrrpd" = "bfdd"): string | undefined {
  for (const program of [daemon, "zebra"])
    if (!existsSync(path.join(FOLDER, program))) return `FRR's ${program} is not installed`;
  if (spawnSync("id", [USER]).status !== 0) return `there is no user ${USER}`;
  return spawnSync("vtysh", ["--version"]).error === undefined ? undefined : "FRR's vtysh is not installed";
}

/** One peer as bfdd shows it. */
export interface FrrPeer {
  readonly peer: string;
  readonly status: string;
  readonly diagnostic: string;
  readonly "remote-diagnostic": string;
  readonly "remote-receive-interval": number;
  readonly "remote-transmit-interval": number;
  readonly "remote-detect-multiplier": number;
}

/** One virtual router as vrrpd shows it, for one family. */
interface FrrRouter {
  readonly status: string;
  readonly effectivePriority: number;
}

export class Frr {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "tandem-frr-"));
  readonly #processes: ChildProcess[] = [];
  readonly #lab: SegmentLab;
  readonly #host: string;

  private constructor(lab: SegmentLab, host: string) {
    this.#lab = lab;
    this.#host = host;
  }

  /** `peers` are lines of bfdd's `bfd` block. */
  static async start(lab: SegmentLab, host: string, peers: readonly string[]): Promise<Frr> {
    const frr = new Frr(lab, host);
    await frr.#run("bfdd", ["bfd", ...peers], ["--bfdctl", path.join(frr.#folder, "bfdd.sock")]);
    return frr;
  }

  /** vrrpd; `lines` are those of its interface `eth0`. The macvlans that it works through are the caller's to make. */
  static async startVrrp(lab: SegmentLab, host: string, lines: readonly string[]): Promise<Frr> {
    const frr = new Frr(lab, host);
    await frr.#run("vrrpd", ["interface eth0", ...lines], []);
    return frr;
  }

  async #run(daemon: string, block: readonly string[], more: readonly string[]): Promise<void> {
    const [head, ...lines] = block;
    writeFileSync(path.join(this.#folder, "zebra.conf"), "");
    writeFileSync(
      path.join(this.#folder, `${daemon}.conf`),
      [head, ...lines.map((line) => ` ${line}`), "!", ""].join("\n"),
    );
    spawnSync("chown", ["-R", `${USER}:${USER}`, this.#folder]);
    this.#spawn("zebra", []);
    await until("zebra runs", () => existsSync(path.join(this.#folder, "zserv.api")));
    this.#spawn(daemon, more);
    await until(`${daemon} runs`, () => existsSync(path.join(this.#folder, `${daemon}.vty`)));
  }

  /** The state of a virtual router, `Master` or `Backup`; undefined while it has none. */
  vrrpStatus(vrid: number, family: 4 | 6): string | undefined {
    const { stdout } = spawnSync("vtysh", ["--vty_socket", this.#folder, "-c", "show vrrp json"], { encoding: "utf8" });
    try {
      const routers = JSON.parse(stdout) as readonly {
        readonly vrid: number;
        readonly v4: FrrRouter;
        readonly v6: FrrRouter;
      }[];
      const found = routers.find((router) => router.vrid === vrid);
      return (family === 4 ? found?.v4 : found?.v6)?.status;
    } catch {
      return undefined;
    }
  }

  #spawn(name: string, more: readonly string[]): void {
    const file = (ending: string): string => path.join(this.#folder, `${name}.${ending}`);
    const args = ["-f", file("conf"), "-i", file("pid"), "-z", path.join(this.#folder, "zserv.api")];
    args.push("--vty_socket", this.#folder, "-u", USER, "-g", USER, "-P", "0", ...more);
    const command = ["netns", "exec", this.#lab.namespace(this.#host), path.join(FOLDER, name), ...args];
    this.#processes.push(spawn("ip", command, { stdio: "ignore" }));
  }

  peers(): readonly FrrPeer[] {
    const { stdout } = spawnSync("vtysh", ["--vty_socket", this.#folder, "-c", "show bfd peers json"], {
      encoding: "utf8",
    });
    try {
      return JSON.parse(stdout) as readonly FrrPeer[];
    } catch {
      return [];
    }
  }

  /** A command of the configuration terminal. */
  configure(...lines: readonly string[]): void {
    const args = ["--vty_socket", this.#folder, "-c", "configure terminal"];
    spawnSync("vtysh", [...args, ...lines.flatMap((line) => ["-c", line])]);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const ends = this.#processes.splice(0).map((child) => {
      const gone = new Promise((resolve) => child.on("exit", resolve));
      child.kill(signal); // `ip netns exec` has become it
      return child.exitCode === null && child.signalCode === null ? gone : undefined;
    });
    await Promise.all(ends);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
