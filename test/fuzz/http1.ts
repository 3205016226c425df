/** The subject `http1`: fuzzed clients of the web server itself. Answer, end of the connection and logs must be the same with Tandem as with nginx. */
import type { Difference, Subject } from "./differential.ts";
import { type Http1Case, makeCase } from "./http1-cases.ts";
import { lasting, reasonFor } from "./http1-known.ts";
import { Http1Lanes, LANES } from "./http1-lanes.ts";
import type { Http1View } from "./http1-views.ts";

export const http1Subject: Subject<Http1Case, Http1View> = {
  name: "http1",
  lanes: LANES,
  make: (seed) => makeCase(seed, LANES),
  start: (binary) => Http1Lanes.start(binary),
  reasonFor,
  lasting,
  smaller,
  print,
};

function smaller(one: Http1Case): Http1Case[] {
  const halves = one.pieces.flatMap((piece, at) =>
    piece.length > 60 ? [{ ...one, pieces: one.pieces.with(at, piece.slice(0, piece.length / 2)) }] : [],
  );
  return [
    ...(one.cuts.length > 0 ? [{ ...one, cuts: [] }] : []),
    ...(one.cuts.length > 1
      ? [
          { ...one, cuts: one.cuts.slice(1) },
          { ...one, cuts: one.cuts.slice(0, 1) },
        ]
      : []),
    ...(one.dribbled ? [{ ...one, dribbled: false }] : []),
    ...(one.ending === "half" ? [{ ...one, ending: "last" as const }] : []),
    ...one.pieces.map((_, gone) => ({ ...one, pieces: one.pieces.filter((_, at) => at !== gone) })).reverse(),
    ...halves,
  ];
}

function print({ seed, smallest, theirs, ours }: Difference<Http1Case, Http1View>): string {
  const quote = (text: string): string =>
    JSON.stringify(text.replace(/(\w)\1{39,}/g, (run) => `(${run.length} ${run[0]})`));
  const other = (one: readonly string[], two: readonly string[]): readonly string[] =>
    one.join("\n") === two.join("\n") ? [] : one;
  const show = (view: Http1View, from: Http1View): string =>
    [
      view.client === from.client
        ? `  client got the same ${view.client.slice(9, 12)}, then: ${view.fate}`
        : `  client got ${quote(view.client)}, then: ${view.fate}`,
      ...other(view.access, from.access).map((line) => `  logged ${quote(line)}`),
      ...other(view.errors, from.errors).map((line) => `  error log ${quote(line)}`),
    ].join("\n");
  const way = smallest.dribbled
    ? " byte by byte"
    : smallest.cuts.length > 0
      ? ` cut at ${smallest.cuts.map((c) => c.toFixed(3))}`
      : "";
  return [
    `seed ${seed}, lane ${smallest.lane}`,
    `client sends ${quote(smallest.pieces.join(""))}${way}${smallest.ending === "half" ? " and ends" : ""}`,
    `nginx:\n${show(theirs, ours)}`,
    `Tandem:\n${show(ours, theirs)}`,
  ].join("\n");
}
