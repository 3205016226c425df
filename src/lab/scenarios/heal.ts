/** The partition ends: both nodes are active, and one of them has to give way before clients talk to a node that has given way. */
import { QUIET_REFRESH_MS } from "../../vrrp/announce.ts";
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { asWritten } from "../variants.ts";

export const heal: Scenario = {
  name: "heal",
  title: "the partition heals",
  variant: asWritten,
  async run(stage) {
    const { active, standby, pair } = stage;
    if (!stage.isUnplugged(active)) {
      await stage.makeWell();
      stage.unplug(active);
      await stage.untilAnswers(standby, stage.activeDownMs(standby));
    }
    // Which node is heard first depends on the moment: let several runs meet several of them.
    await sleepMs(Math.random() * pair.plan.nodes[active].instance.advertIntervalMs);
    stage.step(`the switch forwards for ${active} again`);
    // A keepalived that gives way may say nothing at all: then the winner's regular announcement has to do.
    const { advertIntervalMs } = pair.plan.nodes[active].instance;
    const silentMs = stage.isTandem(standby) ? 0 : QUIET_REFRESH_MS;
    const mark = stage.begin();
    stage.replug(active);
    const back = await stage.untilAnswers(active, 2 * advertIntervalMs + silentMs);
    return stage.end(
      mark,
      {
        ms: ANNOUNCE_MS + silentMs,
        by:
          silentMs === 0
            ? "no timer: the winner announces itself when the loser gives way"
            : "a keepalived may give way in silence: the winner's announcement every 10 s",
      },
      [{ what: `${active} answers`, holds: back }, stage.expectOwner(active)],
    );
  },
};
