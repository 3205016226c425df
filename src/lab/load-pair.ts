/** Reads the staged files of both nodes as their programs will, and plans the pair. */
import { readFileSync } from "node:fs";
import type { Diagnostic } from "../conf/diagnostics.ts";
import { isFatal, printDiagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import { type ConfigReader, load, type ReadError } from "../conf/nginx/load.ts";
import { httpPortOf, NODES, type NodeName, type PairPlan, PlanError, planPair } from "./plan.ts";
import type { StagedFile } from "./protocol.ts";

/** Plans from what the nodes will see in /etc. Throws `PlanError` with the first complaint that makes a file unusable. */
export function planOf(staged: Readonly<Record<NodeName, readonly StagedFile[]>>): PairPlan {
  const configs = {} as Record<NodeName, KeepalivedConfig>;
  const ports = {} as Record<NodeName, number>;
  for (const node of NODES) {
    const reader = new StagedReader(staged[node]);
    const { config, diagnostics, isUsable } = loadKeepalived("/etc/keepalived/keepalived.conf", {
      reader,
      configId: `node-${node}`,
    });
    if (!isUsable) throw new PlanError(`node ${node}: ${firstFatal(diagnostics)}`);
    const source = load("/etc/nginx/nginx.conf", reader);
    if (source.fault !== undefined) throw new PlanError(`node ${node}: ${printDiagnostic(source.fault)}`);
    configs[node] = config;
    ports[node] = httpPortOf(source.directives);
  }
  if (ports.a !== ports.b)
    throw new PlanError(`the nodes' web servers listen on different ports (${ports.a}, ${ports.b})`);
  return planPair(configs, ports.a);
}

function firstFatal(diagnostics: readonly Diagnostic[]): string {
  const found = diagnostics.find(isFatal);
  return found === undefined ? "keepalived.conf can't be used" : printDiagnostic(found);
}

/** The node's own files first, then the machine's. Patterns match the node's own files only. */
class StagedReader implements ConfigReader {
  readonly #files: ReadonlyMap<string, StagedFile>;

  constructor(files: readonly StagedFile[]) {
    this.#files = new Map(files.map((file) => [file.path, file]));
  }

  read(path: string): Uint8Array | ReadError {
    const staged = this.#files.get(path);
    if (staged !== undefined) return Buffer.from(staged.base64, "base64");
    try {
      return readFileSync(path);
    } catch (error) {
      const { errno = -2, message } = error as NodeJS.ErrnoException;
      return { call: "open()", errno: -errno, text: message };
    }
  }

  glob(pattern: string): readonly string[] {
    const expression = new RegExp(
      `^${pattern
        .replace(/[.+^${}()|\\]/g, "\\$&")
        .replaceAll("*", "[^/]*")
        .replaceAll("?", "[^/]")}$`,
    );
    return [...this.#files.keys()].filter((path) => expression.test(path)).sort();
  }
}
