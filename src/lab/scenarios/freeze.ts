/** Every process of the active node is stopped in its tracks, as on a machine that swaps or a virtual one that is paused. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const freeze: Scenario = {
  name: "freeze",
  title: "SIGSTOP of the active node",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`SIGSTOP everything of ${active}`);
    const mark = stage.begin();
    await stage.freeze(active, true);
    await stage.untilAnswers(standby, stage.activeDownMs(standby));
    return stage.end(mark, { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` }, [
      { what: `${standby} holds the address`, holds: stage.pair.holders().includes(standby) },
    ]);
  },
};
