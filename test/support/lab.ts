/** Runs `tandem lab` as a user does, on the example pair or on a faster copy of it, and finds what it leaves behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { NODES } from "../../src/lab/plan.ts";
import { asWritten, version3 } from "../../src/lab/variants.ts";

export const CHECKOUT = path.resolve(fileURLToPath(import.meta.url), "../../../..");
export const EXAMPLE = path.join(CHECKOUT, "examples", "pair");
const MARK = "TANDEM_LAB_TEST";

/** A copy of the example with VRRP version 3 and an advert every 100 ms: every wait is a tenth. */
export function fastPair(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "tandem-fast-pair-"));
  cpSync(EXAMPLE, directory, { recursive: true });
  for (const node of NODES) {
    const file = path.join(directory, node, "keepalived.conf");
    const edit = version3(100).edit(node, "a", undefined);
    writeFileSync(file, edit(asWritten.edit(node, "a", undefined)(readFileSync(file, "utf8"))));
  }
  return directory;
}

/** What is asserted of the JSON that `--json` prints. */
export interface LabResult {
  readonly scenarios: readonly {
    readonly scenario: string;
    readonly verdict: string;
    readonly errors: readonly string[];
    readonly runs: readonly {
      readonly before?: string;
      readonly after?: string;
      readonly gapMs: number;
      readonly failed: number;
      readonly expectations: readonly { readonly what: string; readonly holds: boolean }[];
    }[];
  }[];
}

export interface LabRun {
  readonly child: ChildProcess;
  /** Exit status (128 and more for a signal), what was printed, and the live lines. */
  readonly ended: Promise<{ readonly status: number; readonly output: string; readonly live: string }>;
  /** Resolves when a live line matches. Rejects when the lab ends before. */
  until(pattern: RegExp): Promise<void>;
  /** Pids of everything that the lab has started and that still lives. */
  left(): readonly number[];
}

/** Starts `tandem lab` with `--json` (or other options about what it prints), as the leader of a process group: `-child.pid` is what a terminal's Ctrl-C reaches. */
export function startLab(
  args: readonly string[],
  temporary = tmpdir(),
  prints: readonly string[] = ["--json"],
): LabRun {
  const mark = `${process.pid}-${performance.now()}`;
  const child = spawn(process.execPath, [path.join(CHECKOUT, "bin", "tandem"), "lab", ...args, ...prints], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, [MARK]: mark, TMPDIR: temporary },
  });
  let output = "";
  let live = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (live += chunk));
  const ended = new Promise<{ status: number; output: string; live: string }>((resolve) => {
    child.on("close", (status) => resolve({ status: status ?? 128, output, live }));
  });
  return {
    child,
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(live)) resolve();
        };
        child.stderr.on("data", look);
        child.on("close", () => reject(new Error(`the lab ended without ${pattern}:\n${live}`)));
        look();
      }),
    left: () => markedProcesses(`${MARK}=${mark}`),
  };
}

/** Runs a rehearsal to its end and reads its results. */
export async function rehearse(args: readonly string[]): Promise<{ status: number; result: LabResult; live: string }> {
  const { status, output, live } = await startLab(args).ended;
  try {
    return { status, live, result: JSON.parse(output) as LabResult };
  } catch {
    throw new Error(`the lab printed no results (status ${status}):\n${live}`);
  }
}

/** Every broken expectation and error in words, for an assertion's message. */
export function complaintsOf(result: LabResult): readonly string[] {
  return result.scenarios
    .filter(({ verdict }) => verdict !== "ok")
    .flatMap(({ scenario, errors, runs }) => [
      ...errors.map((error) => `${scenario}: ${error}`),
      ...runs.flatMap((run) =>
        run.expectations.filter(({ holds }) => !holds).map(({ what }) => `${scenario}: expected ${what}`),
      ),
    ]);
}

function markedProcesses(text: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(text);
      } catch {
        return false; // it has ended, or belongs to somebody else
      }
    });
}
