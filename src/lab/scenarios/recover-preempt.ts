/** The stronger node returns and takes the address back. */
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

const PROGRAM_START_MS = 1500;

export const recoverPreempt: Scenario = {
  name: "recover-preempt",
  title: "recovery: the stronger node takes the address back",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    if (!stage.isStopped(active)) {
      await stage.makeWell();
      await stage.stop(active);
      await stage.untilAnswers(standby, stage.skewMs(standby));
    }
    stage.step(`start ${active} again`);
    const mark = stage.begin();
    await stage.start(active);
    const back = await stage.untilAnswers(active, stage.activeDownMs(active) + PROGRAM_START_MS);
    return stage.end(mark, { ms: ANNOUNCE_MS, by: "no timer: the weaker node answers until it is relieved" }, [
      { what: `${active} takes the address back`, holds: back },
      stage.expectOwner(active),
    ]);
  },
};
