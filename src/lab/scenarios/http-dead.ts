/** The active node's web server dies and nothing can bring it back: the check fails, and the node becomes the weaker one. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

const NO_SCRIPT_MS = 2000;

export const httpDead: Scenario = {
  name: "http-dead",
  title: "web server dead for good, check script with weight",
  variant: asWritten,
  async run(stage) {
    const { active, standby, pair } = stage;
    await stage.makeWell();
    const plan = pair.plan.nodes[active];
    const detectionMs = (plan.checkIntervalMs ?? NO_SCRIPT_MS) + (plan.checkTimeoutMs ?? NO_SCRIPT_MS);
    const allowedMs = detectionMs + stage.activeDownMs(standby);
    stage.step(`keep the web server of ${active} dead`);
    const mark = stage.begin();
    await stage.suppressHttp(active, true);
    await stage.untilAnswers(standby, allowedMs);
    return stage.end(
      mark,
      { ms: allowedMs, by: `interval and timeout of the check + 3 adverts + skew of ${standby}` },
      [stage.expectOwner(standby)],
    );
  },
};
