/** VRRP version 3 with adverts every 100 ms and every 10 ms: nothing moves while all is well, and a dead node is replaced in no time. */
import type { Scenario, Stage } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { every10Ms, every100Ms, type Variant } from "../variants.ts";

const STEADY_MS = 2000;

function scenario(intervalMs: number, variant: Variant): Scenario {
  return {
    name: `v3-${intervalMs}ms`,
    title: `version 3, advert every ${intervalMs} ms: kill -9 of the active node`,
    variant,
    isAlone: intervalMs < 100,
    async run(stage: Stage) {
      const { active, standby } = stage;
      await stage.makeWell();
      const calm = stage.begin();
      await sleepMs(STEADY_MS);
      const steady = stage.expectUnmoved(active, calm);
      stage.step(`kill -9 everything of ${active}`);
      const mark = stage.begin();
      await stage.pair.kill(active, "all");
      await stage.untilAnswers(standby, stage.activeDownMs(standby));
      return stage.end(mark, { ms: stage.activeDownMs(standby), by: `3 adverts + skew of ${standby}` }, [
        // A partner that is not scheduled for four adverts, here 40 ms, is a dead partner: a busy machine can do that.
        { what: `nothing moves in ${STEADY_MS / 1000} s without a fault`, holds: steady.holds, isDelay: true },
        { what: `${standby} holds the address`, holds: stage.pair.holders().includes(standby) },
      ]);
    },
  };
}

export const version3Every100Ms = scenario(100, every100Ms);
export const version3Every10Ms = scenario(10, every10Ms);
