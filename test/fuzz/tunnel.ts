/** The subject `tunnel`: tunnels by Upgrade and CONNECT. Both ends must get the same through Tandem as through nginx. */
import { spawnSync } from "node:child_process";
import type { Difference, Subject } from "./differential.ts";
import { makeTunnelCase, type TunnelCase } from "./tunnel-cases.ts";
import { reasonForTunnel } from "./tunnel-known.ts";
import { TunnelLanes, TunnelPlan, type TunnelView } from "./tunnel-lanes.ts";

/** Since 1.31 nginx has `tunnel_pass`. */
export function hasConnect(nginx: string): boolean {
  const { stderr } = spawnSync(nginx, ["-v"], { encoding: "utf8" });
  const [, minor = "0"] = /nginx\/1\.(\d+)/.exec(stderr) ?? [];
  return Number(minor) >= 31;
}

/** With or without CONNECT, which the nginx beside it must know. */
export function tunnelSubject(connects: boolean): Subject<TunnelCase, TunnelView> {
  const plan = new TunnelPlan(connects);
  return {
    name: "tunnel",
    lanes: plan.lanes,
    make: (seed) => makeTunnelCase(seed, plan.lanes, (lane) => plan.isConnect(lane)),
    start: (binary) => TunnelLanes.start(plan, binary),
    reasonFor: reasonForTunnel,
    lasting: (_one, view) => view,
    smaller: (one) =>
      one.steps.map((_, gone) => ({ ...one, steps: one.steps.filter((_step, at) => at !== gone) })).reverse(),
    print,
  };
}

function print({ smallest, theirs, ours }: Difference<TunnelCase, TunnelView>): string {
  const quote = (text: string): string => JSON.stringify(text.replace(/y{20,}/g, (run) => `(${run.length} y)`));
  const show = ({ client, closed, backEnd }: TunnelView): string =>
    [
      `  client got ${quote(client)}${closed ? "" : " and no end"}`,
      ...backEnd.map((text) => `  back end got ${quote(text)}`),
    ].join("\n");
  return [
    `seed ${smallest.seed}, lane ${smallest.lane}`,
    `client sends ${quote(smallest.request)}`,
    `back end says ${quote(smallest.answer)}`,
    ...smallest.steps.map(({ who, bytes }) => `${who} ${bytes === undefined ? "ends" : `says ${quote(bytes)}`}`),
    `nginx:\n${show(theirs)}`,
    `Tandem:\n${show(ours)}`,
  ].join("\n");
}
