/** The partition ends: both nodes are active, and one of them has to give way before clients talk to a node that has given way. */
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
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
    stage.step(`the switch forwards for ${active} again`);
    const mark = stage.begin();
    stage.replug(active);
    const { advertIntervalMs } = pair.plan.nodes[active].instance;
    const back = await stage.untilAnswers(active, 2 * advertIntervalMs);
    return stage.end(mark, { ms: ANNOUNCE_MS, by: "no timer: the winner announces itself when the loser gives way" }, [
      { what: `${active} answers within two adverts`, holds: back },
      stage.expectOwner(active),
    ]);
  },
};
