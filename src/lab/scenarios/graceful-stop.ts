/** The tutorial's fail-over test: the active node is stopped, and says goodbye. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const gracefulStop: Scenario = {
  name: "graceful-stop",
  title: "graceful stop of the active node",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`stop ${active}`);
    const mark = stage.begin();
    const stopped = stage.stop(active);
    await stage.untilAnswers(standby, stage.skewMs(standby));
    const measurement = await stage.end(mark, { ms: stage.skewMs(standby), by: `skew of ${standby}` }, [
      stage.expectOwner(standby),
    ]);
    await stopped;
    return measurement;
  },
};
