/** The active node's web server dies, and comes back: by its supervisor in Tandem, by the check script otherwise. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

/** From the restart to the first answer. */
const PROGRAM_START_MS = 1500;
/** The check script's interval in the example, when the files name none. */
const NO_SCRIPT_MS = 2000;

export const httpRestarted: Scenario = {
  name: "http-restarted",
  title: "web server killed and restarted",
  variant: asWritten,
  async run(stage) {
    const { active, pair } = stage;
    await stage.makeWell();
    const intervalMs = pair.plan.nodes[active].checkIntervalMs ?? NO_SCRIPT_MS;
    stage.step(`kill -9 the web server of ${active}`);
    const mark = stage.begin();
    await pair.kill(active, "http");
    await stage.untilAnswers(active, intervalMs + PROGRAM_START_MS);
    return stage.end(
      mark,
      { ms: intervalMs + PROGRAM_START_MS, by: "interval of the check + start of the web server" },
      [stage.expectUnmoved(active, mark)],
    );
  },
};
