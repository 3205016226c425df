/** The web server dies on the active node, and then on the one that has taken over: with both checks failed the old order counts again. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

const NO_SCRIPT_MS = 2000;
/** A goodbye and an answer to it, on a busy machine. */
const SETTLE_MS = 2000;

export const httpDeadBoth: Scenario = {
  name: "http-dead-both",
  title: "web server dead on the active node, then on the other",
  variant: asWritten,
  async run(stage) {
    const { active, standby, pair } = stage;
    await stage.makeWell();
    const waitMs = (node: typeof active): number => {
      const { checkIntervalMs, checkTimeoutMs } = pair.plan.nodes[node];
      return (checkIntervalMs ?? NO_SCRIPT_MS) + (checkTimeoutMs ?? NO_SCRIPT_MS);
    };
    stage.step(`keep the web server of ${active} dead`);
    await stage.suppressHttp(active, true);
    await stage.untilAnswers(standby, waitMs(active) + stage.activeDownMs(standby));
    stage.step(`and that of ${standby}`);
    const mark = stage.begin();
    await stage.suppressHttp(standby, true);
    const back = await pair.until(
      () => pair.holders().join() === active,
      waitMs(standby) + stage.activeDownMs(active) + SETTLE_MS,
    );
    return stage.end(mark, { ms: undefined, by: "" }, [
      { what: `${active} has the address again`, holds: back },
      stage.expectOwner(active),
    ]);
  },
};
