/** Ten planned hand-overs in a row under load: keep-alive clients, slow downloads, streaming uploads and tunnels. */
import path from "node:path";
import { CHECKOUT, type Flavour } from "../flavours.ts";
import { NODES, type NodeName } from "../plan.ts";
import type { KeepAliveResult, StreamResult } from "../protocol.ts";
import { ANNOUNCE_MS, type Expectation, type Measurement, type Scenario, type Stage } from "../scenario.ts";
import { sleepMs } from "../time.ts";
import { peerChannel } from "../variants.ts";

const HANDOVERS = 10;
/** From one to the next, so that downloads and uploads live through several. */
const BETWEEN_MS = 1500;
const LASTS_MS = 4000;
const CONNECTIONS = 20;
const PAUSE_MS = 5;
/** How long partners have to find each other, and exchanges to begin. */
const BEGIN_MS = 2500;
const BACK_END = "back-end";

export const handover: Scenario = {
  name: "handover",
  title: `${HANDOVERS} planned hand-overs under load`,
  variant: peerChannel,
  isAlone: true,
  async run(stage) {
    await stage.makeWell();
    await startBackEnds(stage);
    try {
      return await underLoad(stage);
    } finally {
      for (const node of NODES)
        await stage.pair
          .agent(node)
          .call("signal", { name: BACK_END, signal: "SIGKILL" })
          .catch(() => {});
    }
  },
};

async function startBackEnds({ pair }: Stage): Promise<void> {
  const program = path.join(CHECKOUT, "dist", "src", "lab", "stream-back-end.js");
  for (const node of NODES) {
    const env = environmentOf(pair.flavour(node));
    await pair.agent(node).call("spawn", { name: BACK_END, argv: [process.execPath, program], env });
  }
}

function environmentOf(flavour: Flavour): Readonly<Record<string, string>> {
  return flavour.programs[0]?.env ?? {};
}

async function underLoad(stage: Stage): Promise<Measurement> {
  const { active, standby, pair } = stage;
  const { virtualIp: ip, port } = pair.plan;
  const client = pair.agent("client");
  await sleepMs(BEGIN_MS);
  await client.call("startKeepAlive", { ip, port, connections: CONNECTIONS, pauseMs: PAUSE_MS });
  await client.call("startStreams", { ip, downloads: 8, uploads: 4, tunnels: 8, lastsMs: LASTS_MS });
  await sleepMs(BEGIN_MS);
  const mark = stage.begin();
  let moved = 0;
  for (let i = 0; i < HANDOVERS; i++) {
    const to = i % 2 === 0 ? standby : active;
    stage.step(`hand over to ${to}`);
    await (to === standby ? giveAway(stage) : giveBack(stage));
    if (await pair.until(() => pair.holders().join() === to, pair.settleTimeoutMs)) moved++;
    await sleepMs(BETWEEN_MS);
  }
  const streams = await client.call("stopStreams");
  const load = await client.call("stopKeepAlive");
  const isHitless = stage.isTandem(active) && stage.isTandem(standby);
  const measurement = await stage.end(
    mark,
    isHitless ? { ms: ANNOUNCE_MS, by: "no timer: the new owner is there first" } : { ms: undefined, by: "" },
    [{ what: `the address moves ${HANDOVERS} times (${moved})`, holds: moved === HANDOVERS }],
  );
  return summary(measurement, load, streams, isHitless);
}

/** As its operator would: Tandem is told to hand over, keepalived to stop. */
async function giveAway(stage: Stage): Promise<void> {
  const { active, pair } = stage;
  if (stage.isTandem(active)) await order(stage, active, ["handover"]);
  else await pair.agent(active).call("signal", { name: "keepalived", signal: "SIGTERM" });
}

/** A Tandem partner hands back; from any other one the stronger node takes back what it has given away. */
async function giveBack(stage: Stage): Promise<void> {
  const { active, standby, pair } = stage;
  if (!stage.isTandem(active)) await pair.start(active);
  else if (stage.isTandem(standby)) await order(stage, standby, ["handover"]);
  else await order(stage, active, ["drain", "--undo"]);
}

async function order({ pair }: Stage, node: NodeName, args: readonly string[]): Promise<void> {
  const argv = [process.execPath, path.join(CHECKOUT, "bin", "tandem"), ...args];
  await pair.agent(node).call("spawn", { name: "order", argv, env: environmentOf(pair.flavour(node)) });
}

function summary(
  measurement: Measurement,
  load: KeepAliveResult,
  streams: StreamResult,
  isHitless: boolean,
): Measurement {
  const failures = { ...measurement.failures };
  for (const [reason, count] of Object.entries({ ...load.failures, ...streams.broken }))
    failures[reason] = (failures[reason] ?? 0) + count;
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  const broken = Object.values(streams.broken).reduce((sum, count) => sum + count, 0);
  const whole = streams.downloads + streams.uploads + streams.tunnels;
  const attempts = measurement.attempts + load.requests + whole + broken;
  const reasons = Object.entries(failures).map(([reason, count]) => `, ${count} ${reason}`);
  const expectations: readonly Expectation[] = [
    {
      what: `no request fails and no connection breaks (${failed} of ${attempts}${reasons.join("")})`,
      holds: failed === 0,
    },
    {
      what: `all kinds of exchanges are at work (${whole} whole)`,
      holds: streams.downloads > 0 && streams.uploads > 0,
    },
  ];
  return {
    ...measurement,
    failed,
    attempts,
    failures,
    expectations: [...measurement.expectations, ...(isHitless ? expectations : [])],
    note: `${load.requests} requests on ${load.connections} kept connections; ${streams.downloads} downloads, ${streams.uploads} uploads and ${streams.tunnels} tunnels whole (${streams.echoes} echoes), ${broken} broken`,
  };
}
