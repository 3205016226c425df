/** The nodes watch each other with BFD: a partner that falls silent, in whatever way, is replaced within 150 ms. */
import type { Scenario, Stage } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { BFD_INTERVAL_MS, BFD_MULTIPLIER, trackBfd } from "../variants.ts";

/** What a client may miss, with everything that the machine adds. */
const LIMIT_MS = 150;
const STEADY_MS = 2000;

function scenario(name: string, title: string, harm: (stage: Stage) => Promise<void> | void): Scenario {
  return {
    name: `bfd-${name}`,
    title: `BFD every ${BFD_INTERVAL_MS} ms: ${title}`,
    variant: trackBfd,
    isAlone: true,
    unsuited: (flavours) =>
      Object.values(flavours).some((flavour) => flavour.name !== "tandem")
        ? "keepalived's routers wait for adverts, whatever BFD says"
        : undefined,
    async run(stage: Stage) {
      const { active, standby } = stage;
      await stage.makeWell();
      const calm = stage.begin();
      await sleepMs(STEADY_MS);
      const steady = stage.expectUnmoved(active, calm);
      stage.step(`${title}: ${active}`);
      const mark = stage.begin();
      await harm(stage);
      const detectionMs = BFD_INTERVAL_MS * BFD_MULTIPLIER;
      const skewMs = ((256 - stage.pair.plan.nodes[standby].instance.priority) / 256) * detectionMs;
      const allowed = { ms: detectionMs + skewMs, by: `detection time + its share as skew of ${standby}` };
      await stage.untilAnswers(standby, allowed.ms);
      const measured = await stage.end(mark, allowed, []);
      return {
        ...measured,
        expectations: [
          ...measured.expectations,
          { what: `noticed and made up for within ${LIMIT_MS} ms`, holds: measured.gapMs <= LIMIT_MS, isDelay: true },
          // A partner that is not scheduled for the detection time is a dead partner: a busy machine can do that.
          { what: `nothing moves in ${STEADY_MS / 1000} s without a fault`, holds: steady.holds, isDelay: true },
          { what: `${standby} holds the address`, holds: stage.pair.holders().includes(standby) },
        ],
      };
    },
  };
}

export const bfdKill = scenario("kill-node", "kill -9 of all processes of the active node", (stage) =>
  stage.pair.kill(stage.active, "all"),
);
export const bfdPartition = scenario("partition", "silent partition of the active node", (stage) =>
  stage.unplug(stage.active),
);
export const bfdFreeze = scenario("freeze", "SIGSTOP of the active node", (stage) => stage.freeze(stage.active, true));
