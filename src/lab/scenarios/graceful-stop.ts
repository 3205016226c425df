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
    // Both at once, and waited for together: when the rehearsal is interrupted, both fail.
    const [measurement] = await Promise.all([
      stage
        .untilAnswers(standby, stage.skewMs(standby))
        .then(() =>
          stage.end(mark, { ms: stage.skewMs(standby), by: `skew of ${standby}` }, [stage.expectOwner(standby)]),
        ),
      stage.stop(active),
    ]);
    return measurement;
  },
};
