/** The active node can't reach its back ends any more, while its programs run and its link is up: no script is there to notice. */
import { ANNOUNCE_MS, type Scenario } from "../scenario.ts";
import { trackUpstream } from "../variants.ts";

/** Two checks in a row must fail; a busy machine gets some more. */
const DETECTION_MS = 2000;

export const backEndsLost: Scenario = {
  name: "back-ends-lost",
  title: "active node loses its back ends, track_upstream",
  variant: trackUpstream,
  unsuited: (flavours) =>
    Object.values(flavours).some(({ name }) => name === "keepalived")
      ? "track_upstream is Tandem's own: keepalived knows of no upstreams"
      : undefined,
  async run(stage) {
    const { active, standby } = stage;
    await stage.makeWell();
    stage.step(`cut ${active} off from its back ends`);
    const mark = stage.begin();
    await stage.loseBackEnds(active, true);
    const moved = await stage.untilAnswers(standby, DETECTION_MS + stage.skewMs(standby));
    const measurement = await stage.end(
      mark,
      { ms: ANNOUNCE_MS, by: "no timer: the node without back ends answers until it is relieved" },
      [{ what: `${standby} takes the address`, holds: moved }, stage.expectOwner(standby)],
    );
    stage.step(`${active} reaches its back ends again`);
    await stage.loseBackEnds(active, false);
    const returned = await stage.untilAnswers(active, DETECTION_MS + stage.skewMs(active));
    return {
      ...measurement,
      expectations: [...measurement.expectations, { what: `${active} takes it back afterwards`, holds: returned }],
    };
  },
};
