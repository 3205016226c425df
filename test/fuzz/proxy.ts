/** The subject `proxy`: fuzzed clients and back ends around the proxy. Client and back end must see the same with Tandem as with nginx. */
import type { Difference, Subject } from "./differential.ts";
import { makeCase, type ProxyCase } from "./proxy-cases.ts";
import { reasonFor } from "./proxy-known.ts";
import { LANES, ProxyLanes } from "./proxy-lanes.ts";
import type { View } from "./proxy-views.ts";

export const proxySubject: Subject<ProxyCase, View> = {
  name: "proxy",
  lanes: LANES,
  make: (seed) => makeCase(seed, LANES),
  start: (binary) => ProxyLanes.start(binary),
  reasonFor,
  lasting: (_one, view) => view,
  smaller,
  print,
};

function smaller(one: ProxyCase): ProxyCase[] {
  return [
    ...(one.pauses.length > 0 ? [{ ...one, pauses: [] }] : []),
    ...(one.answers.length > 0 ? [{ ...one, answers: [] }] : []),
    ...(one.answers.length > 1 ? [{ ...one, answers: one.answers.slice(0, 1) }] : []),
    ...one.client.map((_, gone) => ({ ...one, client: one.client.filter((_, at) => at !== gone) })).reverse(),
  ];
}

function print({ seed, smallest, theirs, ours }: Difference<ProxyCase, View>): string {
  const quote = (text: string): string => JSON.stringify(text.replace(/y{20,}/g, (run) => `(${run.length} y)`));
  const show = (view: View): string =>
    [
      `  client got ${quote(view.client)}${view.closed ? "" : " and no end"}`,
      ...view.backEnd.map((request) => `  back end got ${quote(request)}`),
    ].join("\n");
  return [
    `seed ${seed}, lane ${smallest.lane}`,
    `client sends ${quote(smallest.client.join(""))}${smallest.pauses.length > 0 ? ` in ${smallest.pauses.length + 1} pieces` : ""}`,
    ...smallest.answers.map(({ bytes, isLast }) => `back end says ${quote(bytes)}${isLast ? " and closes" : ""}`),
    `nginx:\n${show(theirs)}`,
    `Tandem:\n${show(ours)}`,
  ].join("\n");
}
