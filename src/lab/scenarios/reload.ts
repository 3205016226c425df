/** Both halves of the active node read their files again while keep-alive clients are at work. */
import type { Scenario } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { asWritten } from "../variants.ts";

const CONNECTIONS = 20;
const PAUSE_MS = 5;
const RELOADS = 3;
const BETWEEN_RELOADS_MS = 1000;

export const reload: Scenario = {
  name: "reload",
  title: "reload of both halves under load",
  variant: asWritten,
  async run(stage) {
    const { active, pair } = stage;
    await stage.makeWell();
    const client = pair.agent("client");
    await client.call("startKeepAlive", {
      ip: pair.plan.virtualIp,
      port: pair.plan.port,
      connections: CONNECTIONS,
      pauseMs: PAUSE_MS,
    });
    await sleepMs(BETWEEN_RELOADS_MS / 2);
    stage.step(`reload ${active} ${RELOADS} times under ${CONNECTIONS} keep-alive connections`);
    const mark = stage.begin();
    for (let i = 0; i < RELOADS; i++) {
      await pair.reload(active);
      await sleepMs(BETWEEN_RELOADS_MS);
    }
    const load = await client.call("stopKeepAlive");
    const failed = Object.values(load.failures).reduce((sum, count) => sum + count, 0);
    const reasons = Object.entries(load.failures).map(([reason, count]) => `, ${count} ${reason}`);
    const measurement = await stage.end(mark, { ms: undefined, by: "" }, [stage.expectUnmoved(active, mark)]);
    const total = failed + measurement.failed;
    return {
      ...measurement,
      failed: total,
      attempts: measurement.attempts + load.requests,
      failures: { ...measurement.failures, ...load.failures },
      expectations: [
        ...measurement.expectations,
        // nginx closes keep-alive connections under a request that is on its way: that is what it is known for.
        ...(stage.isTandem(active)
          ? [
              {
                what: `no request fails (${total} of ${measurement.attempts + load.requests}${reasons.join("")})`,
                holds: total === 0,
              },
            ]
          : []),
      ],
    };
  },
};
