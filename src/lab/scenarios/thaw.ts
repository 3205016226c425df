/** The stopped node goes on as if no time had passed, and believes itself active. */
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const thaw: Scenario = {
  name: "thaw",
  title: "SIGCONT of the stopped node",
  variant: asWritten,
  async run(stage) {
    const { active, standby, pair } = stage;
    if (!stage.isFrozen(active)) {
      await stage.makeWell();
      await stage.freeze(active, true);
      await stage.untilAnswers(standby, stage.activeDownMs(standby));
    }
    stage.step(`SIGCONT everything of ${active}`);
    // A keepalived that gives way says no goodbye: the winner learns of it from its announcements, at its next advert.
    const { advertIntervalMs } = pair.plan.nodes[active].instance;
    const silentMs = stage.isTandem(standby) ? 0 : advertIntervalMs;
    const mark = stage.begin();
    await stage.freeze(active, false);
    const back = await stage.untilAnswers(active, 2 * advertIntervalMs);
    return stage.end(
      mark,
      { ms: 2 * ANNOUNCE_MS + silentMs, by: "no timer: the winner announces itself, and its web server has a backlog" },
      [{ what: `${active} answers within two adverts`, holds: back }, stage.expectOwner(active)],
    );
  },
};
