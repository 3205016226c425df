/** The switch forwards nothing from and to the active node any more, which does not notice: its carrier stays. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const partition: Scenario = {
  name: "partition",
  title: "silent partition of the active node",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`the switch cuts ${active} off`);
    const mark = stage.begin();
    stage.unplug(active);
    await stage.untilAnswers(standby, stage.activeDownMs(standby));
    return stage.end(mark, { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` }, [
      { what: `${standby} holds the address`, holds: stage.pair.holders().includes(standby) },
    ]);
  },
};
