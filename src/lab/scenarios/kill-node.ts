/** Every process of the active node dies at once. Its kernel keeps the address, and nobody behind it answers. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const killNode: Scenario = {
  name: "kill-node",
  title: "kill -9 of all processes of the active node",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`kill -9 everything of ${active}`);
    const mark = stage.begin();
    await stage.pair.kill(active, "all");
    await stage.untilAnswers(standby, stage.activeDownMs(standby));
    return stage.end(mark, { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` }, [
      { what: `${standby} holds the address`, holds: stage.pair.holders().includes(standby) },
    ]);
  },
};
