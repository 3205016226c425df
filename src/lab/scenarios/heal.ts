/**
 * The partition ends: both nodes are active, each with a client on its side of the switch, and one of the nodes has to give way before its
 * client talks to a node that has given way.
 */
import { QUIET_REFRESH_MS } from "../../vrrp/announce.ts";
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { asWritten } from "../variants.ts";

/** How long a client looks for a node that has given way in silence: Linux keeps a neighbour for up to 45 s, and asks for it again. */
const BLACK_HOLE_MS = 60_000;

export const heal: Scenario = {
  name: "heal",
  title: "the partition heals",
  variant: asWritten,
  async run(stage) {
    const { active, standby, pair } = stage;
    await stage.makeWell();
    await stage.askFromBothSides();
    stage.step(`the switch falls in two, ${active} with a client here, ${standby} with another one there`);
    stage.part(active);
    await stage.untilAnswers(standby, stage.activeDownMs(standby));
    const { advertIntervalMs } = pair.plan.nodes[active].instance;
    // Which node is heard first depends on the moment.
    await stage.passPartOfInterval();
    stage.step("the switch is one again");
    // A keepalived that gives way may say nothing at all: then the winner's regular announcement has to do, where there is one.
    const silentMs = stage.isTandem(standby) ? 0 : stage.isTandem(active) ? QUIET_REFRESH_MS : BLACK_HOLE_MS;
    const mark = stage.begin();
    stage.join();
    const back = await stage.untilBothSidesAnswer(active, 2 * advertIntervalMs + silentMs);
    return stage.end(
      mark,
      {
        ms: silentMs === BLACK_HOLE_MS ? undefined : ANNOUNCE_MS + silentMs,
        by:
          silentMs === 0
            ? "no timer: the winner announces itself when the loser gives way"
            : "a keepalived may give way in silence: the winner's announcement every 10 s",
      },
      [{ what: `${active} answers`, holds: back }, stage.expectOwner(active)],
    );
  },
};
