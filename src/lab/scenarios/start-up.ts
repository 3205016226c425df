/** Both nodes are started from nothing. */
import type { Scenario } from "../scenario.ts";
import { nowMs } from "../time.ts";
import { asWritten } from "../variants.ts";

/** From the start of the programs to the first advert timer that runs. */
const PROGRAM_START_MS = 1500;

export const startUp: Scenario = {
  name: "start-up",
  title: "start-up of both nodes",
  variant: asWritten,
  startsCold: true,
  async run(stage) {
    const { pair, active } = stage;
    stage.step(`start both nodes (${pair.flavour("a").title}, ${pair.flavour("b").title})`);
    const atMs = nowMs();
    await stage.startBoth();
    await pair.beginProbing();
    const allowedMs = stage.activeDownMs(active) + PROGRAM_START_MS;
    await stage.untilAnswers(active, allowedMs);
    return stage.end(
      { before: undefined, atMs },
      { ms: allowedMs, by: `3 adverts + skew of ${active} + start of the programs` },
      [stage.expectOwner(active)],
    );
  },
};
