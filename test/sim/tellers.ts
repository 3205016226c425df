/** Seeds told by several processes at once: blocks are handed out in order, what they came to is heard as it comes. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nextBlock, type Range, type Summary } from "./summary.ts";
import type { Block } from "./teller.ts";

const TELLER = fileURLToPath(new URL("./teller.js", import.meta.url));
/** Seeds of a block: some seconds, so that little is lost when a run is ended. */
const BLOCK_SEEDS = 50;
/** Most of what a story allocates is dead before it ends: room for it makes the collector's work a third. */
const YOUNG_MEGABYTES = 64;

export interface Orders {
  readonly from: number;
  /** May be infinite. */
  readonly to: number;
  /** Seeds that have been told already. */
  readonly done: readonly Range[];
  readonly jobs: number;
  readonly code: string;
  /** No further block is begun. */
  isOver(): boolean;
  onSummary(summary: Summary): void;
}

/** Resolves when every block that was begun has been told. Rejects when a process dies. */
export async function tellSeeds(orders: Orders): Promise<void> {
  const { done, to, code } = orders;
  let at = orders.from;
  const next = (): Range | undefined => {
    if (orders.isOver()) return undefined;
    const block = nextBlock(done, at, to, BLOCK_SEEDS);
    if (block !== undefined) at = block[1] + 1;
    return block;
  };
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let isDone = false;
      const child = fork(TELLER, [], { execArgv: [`--max-semi-space-size=${YOUNG_MEGABYTES}`] });
      const handOut = (): void => {
        const range = next();
        if (range === undefined) {
          isDone = true;
          child.disconnect();
        } else send(child, { range, code });
      };
      child.on("message", (summary: Summary) => {
        orders.onSummary(summary);
        handOut();
      });
      child.on("error", reject);
      child.on("exit", (status, signal) => {
        if (isDone) resolve();
        else reject(new Error(`a process of the simulation has ended (${signal ?? `status ${status}`})`));
      });
      handOut();
    });
  await Promise.all(Array.from({ length: orders.jobs }, run));
}

function send(child: ChildProcess, block: Block): void {
  child.send(block);
}
