/** The web server's workers die, its master lives and starts new ones. */
import type { Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

/** From the death of a worker to the first answer of the next one. */
const WORKER_START_MS = 1000;

export const killWorkers: Scenario = {
  name: "kill-workers",
  title: "kill -9 of the active node's web workers",
  variant: asWritten,
  async run(stage) {
    const { active, pair } = stage;
    await stage.makeWell();
    stage.step(`kill -9 the workers of ${active}`);
    const mark = stage.begin();
    await pair.kill(active, "http-workers");
    await stage.untilAnswers(active, WORKER_START_MS);
    return stage.end(mark, { ms: WORKER_START_MS, by: "start of a worker" }, [stage.expectUnmoved(active, mark)]);
  },
};
