/** Nothing happens: the noise of this machine, below which no figure means anything. */
import type { Scenario } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { asWritten } from "../variants.ts";

const WATCH_MS = 3000;

export const BASELINE = "baseline";

export const baseline: Scenario = {
  name: BASELINE,
  title: "no fault (noise of this machine)",
  variant: asWritten,
  async run(stage) {
    await stage.makeWell();
    const mark = stage.begin();
    await sleepMs(WATCH_MS);
    return stage.end(mark, { ms: undefined, by: "" }, [
      stage.expectOwner(stage.active),
      stage.expectUnmoved(stage.active, mark),
    ]);
  },
};
