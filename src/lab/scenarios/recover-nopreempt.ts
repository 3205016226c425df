/** The stronger node returns, but leaves the address where it is. */
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { nopreempt } from "../variants.ts";

/** Longer than the stronger node would need to take over. */
const MARGIN_MS = 1500;

export const recoverNopreempt: Scenario = {
  name: "recover-nopreempt",
  title: "recovery with nopreempt: the address stays",
  variant: nopreempt,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    await stage.stop(active);
    await stage.untilAnswers(standby, stage.skewMs(standby));
    stage.step(`start ${active} again`);
    const mark = stage.begin();
    await stage.start(active);
    await sleepMs(stage.activeDownMs(active) + MARGIN_MS);
    const measurement = await stage.end(mark, { ms: ANNOUNCE_MS, by: "nothing moves" }, [
      stage.expectOwner(standby),
      stage.expectUnmoved(standby, mark),
    ]);
    await stage.restart(); // by itself it would stay there
    return measurement;
  },
};
