/** Both halves of the active node read their files again while keep-alive clients are at work. */
import type { Expectation, Scenario } from "../scenario.ts";
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
  isAlone: true,
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
    const measurement = await stage.end(mark, { ms: undefined, by: "" }, [stage.expectUnmoved(active, mark)]);
    const failures = { ...measurement.failures };
    for (const [reason, count] of Object.entries(load.failures)) failures[reason] = (failures[reason] ?? 0) + count;
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
    const attempts = measurement.attempts + load.requests;
    const reasons = Object.entries(failures).map(([reason, count]) => `, ${count} ${reason}`);
    const noneFails: Expectation = {
      what: `no request fails (${failed} of ${attempts}${reasons.join("")})`,
      holds: failed === 0,
      isDelay: failed === (measurement.failures["TIMEOUT"] ?? 0),
    };
    // nginx closes keep-alive connections under a request that is on its way: that is what it is known for.
    const expectations = [...measurement.expectations, ...(stage.isTandem(active) ? [noneFails] : [])];
    return { ...measurement, failed, attempts, failures, expectations };
  },
};
