/** The active node reads a lower priority from its files, and makes room; then the other one is stopped, and it has to come back. */
import { ANNOUNCE_MS, type Scenario, type Stage } from "../scenario.ts";
import { asWritten } from "../variants.ts";

/** Long enough that a reload has been read, and routers have looked at each other's adverts. */
async function makeRoom(stage: Stage): Promise<boolean> {
  stage.step(`reload ${stage.active} with the lowest priority`);
  await stage.reloadLower(stage.active, true);
  return stage.untilAnswers(stage.standby, stage.activeDownMs(stage.standby));
}

export const reloadLower: Scenario = {
  name: "reload-lower",
  title: "reload of the active node with a lower priority",
  variant: asWritten,
  async run(stage) {
    const { standby } = stage;
    await stage.makeWell();
    const mark = stage.begin();
    const moved = await makeRoom(stage);
    return stage.end(mark, { ms: ANNOUNCE_MS, by: "no timer: the address is taken before it is let go" }, [
      { what: `${standby} takes over`, holds: moved },
      stage.expectOwner(standby),
    ]);
  },
};

export const reloadLowerStop: Scenario = {
  name: "reload-lower-stop",
  title: "the same, then a graceful stop of the other node",
  variant: asWritten,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    await makeRoom(stage);
    stage.step(`stop ${standby}`);
    const allowedMs = stage.lowestSkewMs(active);
    const mark = stage.begin();
    const [measurement] = await Promise.all([
      stage
        .untilAnswers(active, allowedMs)
        .then(() =>
          stage.end(mark, { ms: allowedMs, by: `skew of ${active} with priority 1` }, [stage.expectOwner(active)]),
        ),
      stage.stop(standby),
    ]);
    return measurement;
  },
};
