/** The active node's link goes down: no goodbye can be heard. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const linkDown: Scenario = {
  name: "link-down",
  title: "link of the active node down",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`set the link of ${active} down`);
    const mark = stage.begin();
    await stage.setLinkUp(active, false);
    await stage.untilAnswers(standby, stage.activeDownMs(standby));
    return stage.end(mark, { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` }, [
      stage.expectOwner(standby),
    ]);
  },
};
