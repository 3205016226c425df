/** The VRRP process of the active node dies; its web server lives. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

export const killVrrp: Scenario = {
  name: "kill-vrrp",
  title: "kill -9 of the active node's VRRP process",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    // Tandem's supervisor releases the addresses and says goodbye for the dead process; keepalived leaves its partner waiting.
    const promised = stage.isTandem(active);
    const allowed = promised
      ? { ms: stage.skewMs(standby), by: `skew of ${standby}` }
      : { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` };
    stage.step(`kill -9 the VRRP process of ${active}`);
    const mark = stage.begin();
    await stage.pair.kill(active, "vrrp");
    if (promised) await stage.untilAnswers(standby, allowed.ms);
    else {
      // keepalived starts the process again, which removes the address first; both nodes then wait equally long, and either may win.
      await stage.pair.until(() => !stage.pair.holders().includes(active), allowed.ms);
      await stage.untilAnyAnswers(allowed.ms);
    }
    return stage.end(mark, allowed, promised ? [stage.expectOwner(standby)] : []);
  },
};
