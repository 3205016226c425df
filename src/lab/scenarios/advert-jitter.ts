/** Adverts every 10 ms from a node whose web server is at full load: HTTP must not delay VRRP. */
import { jitterOf, printJitter } from "../jitter.ts";
import type { Scenario } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { every10Ms } from "../variants.ts";

const CONNECTIONS = 50;
const LOAD_MS = 3000;
/** What a partner of low priority waits at least, in adverts. */
const PATIENCE_ADVERTS = 3;

export const advertJitter: Scenario = {
  name: "advert-jitter",
  title: "version 3, advert every 10 ms under full HTTP load",
  variant: every10Ms,
  isAlone: true,
  async run(stage) {
    const { active, pair } = stage;
    await stage.makeWell();
    const client = pair.agent("client");
    stage.step(`${CONNECTIONS} clients ask ${active} without a pause`);
    await client.call("startKeepAlive", {
      ip: pair.plan.virtualIp,
      port: pair.plan.port,
      connections: CONNECTIONS,
      pauseMs: 0,
    });
    const mark = stage.begin();
    const fromWallMs = Date.now();
    await sleepMs(LOAD_MS);
    const toWallMs = Date.now();
    const load = await client.call("stopKeepAlive");
    const { advertIntervalMs } = pair.plan.nodes[active].instance;
    const jitter = jitterOf(stage.advertsOf(active, fromWallMs, toWallMs), advertIntervalMs);
    const measurement = await stage.end(mark, { ms: undefined, by: "" }, [
      { ...stage.expectUnmoved(active, mark), isDelay: true },
      {
        what: `no interval of ${PATIENCE_ADVERTS} adverts (${jitter?.longestMs.toFixed(1) ?? "no advert"} ms)`,
        holds: jitter !== undefined && jitter.longestMs < PATIENCE_ADVERTS * advertIntervalMs,
        isDelay: jitter !== undefined,
      },
    ]);
    const perSecond = Math.round(load.requests / (LOAD_MS / 1000));
    const note = jitter === undefined ? "" : `${printJitter(jitter)}, at ${perSecond} requests a second`;
    return { ...measurement, note };
  },
};
