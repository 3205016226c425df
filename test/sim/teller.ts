/** A process of the simulation: tells the seeds of the blocks that it is given, and says what they came to. */
import type { Outcome } from "./story.ts";
import { runSeed } from "./story.ts";
import { type Range, summaryOf } from "./summary.ts";

/** Seeds to be told. */
export interface Block {
  readonly range: Range;
  /** Of the code, as the summary has it. */
  readonly code: string;
}

// Ctrl-C reaches the whole group: what is begun is finished, and whoever handed it out ends us.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", ({ range: [from, to], code }: Block) => {
  const outcomes: Outcome[] = [];
  const before = process.cpuUsage();
  for (let seed = from; seed <= to; seed++) outcomes.push(runSeed(seed));
  const { user, system } = process.cpuUsage(before);
  process.send?.(summaryOf(code, outcomes, (user + system) / 1000));
});
