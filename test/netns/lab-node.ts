/** A node of a lab in tests: a Tandem of its own in a network namespace, with what it has said and the addresses that it holds. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentHandle } from "../../src/lab/agent-handle.ts";
import { CHECKOUT } from "../../src/lab/flavours.ts";
import type { StagedFile } from "../../src/lab/protocol.ts";

/** A file of a node. */
export function staged(file: string, text: string): StagedFile {
  return { path: file, mode: 0o600, base64: Buffer.from(text).toString("base64") };
}

/** A node's agent with what it has said. */
export class Node {
  readonly agent: AgentHandle;
  readonly name: "a" | "b";
  readonly lines: string[] = [];
  readonly held = new Set<string>();
  readonly #ended = new Map<string, (status: string) => void>();
  #orders = 0;

  constructor(name: "a" | "b", agent: AgentHandle) {
    this.name = name;
    this.agent = agent;
    agent.onEvent((event) => {
      if (event.event === "output") this.lines.push(`${event.name}: ${event.line}`);
      else if (event.event === "exit") this.#ended.get(event.name)?.(event.status);
      else if (event.event === "address") {
        const key = `${event.ip} ${event.link}`;
        if (event.held) this.held.add(key);
        else this.held.delete(key);
      }
    });
  }

  /** `env`: what the programs of the node see besides. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const up = ["up", "--nginx", "/etc/nginx/nginx.conf", "--keepalived", "/etc/keepalived/keepalived.conf"];
    await this.#spawn(
      "tandem",
      [path.join(CHECKOUT, "bin/tandem"), ...up, "--prefix", "/etc/nginx", "-e", "stderr"],
      env,
    );
  }

  async startBackEnd(): Promise<void> {
    await this.#spawn("back-end", [path.join(CHECKOUT, "dist/src/lab/stream-back-end.js")]);
  }

  async #spawn(name: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<void> {
    const env = { PATH: process.env["PATH"] ?? "", TMPDIR: "/run/tmp", ...more };
    await this.agent.call("spawn", { name, argv: [process.execPath, ...args], env });
  }

  /** How a program will end. */
  untilEnd(name: string): Promise<string> {
    return new Promise((resolve) => this.#ended.set(name, resolve));
  }

  /** Runs a program to its end; what it has printed. */
  async run(argv: readonly string[]): Promise<string> {
    const name = `order ${++this.#orders}`;
    const ended = this.untilEnd(name);
    await this.agent.call("spawn", { name, argv, env: { PATH: process.env["PATH"] ?? "" } });
    await ended;
    await sleep(20); // its last lines are read
    return this.lines
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
      .join("\n");
  }

  tandem(...args: readonly string[]): Promise<string> {
    return this.run([process.execPath, path.join(CHECKOUT, "bin/tandem"), ...args]);
  }

  holds(ip: string, link = "eth0"): boolean {
    return this.held.has(`${ip} ${link}`);
  }

  /** Everything that a hand-over can leave behind. */
  async leftovers(): Promise<readonly string[]> {
    const kept = [...this.held].filter((key) => key.endsWith(" lo") && !/^(127\.0\.0\.1|::1) /.test(key));
    const tables = hasNft ? await this.run(["nft", "list", "tables"]) : "";
    return [...kept, ...tables.split("\n").filter((line) => line.includes("tandem_handover"))];
  }
}

const hasNft = spawnSync("nft", ["--version"]).status === 0;

/** Waits for a condition. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`${what}: not within ${timeoutMs} ms`);
    await sleep(10);
  }
}
