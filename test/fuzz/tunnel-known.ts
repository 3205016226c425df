/** Differences to nginx that are meant: docs/compatibility.md lists them with their reasons. */
import { isDeepStrictEqual } from "node:util";
import type { TunnelCase } from "./tunnel-cases.ts";
import type { TunnelView } from "./tunnel-lanes.ts";

/** Which of the known differences explains that these two differ; undefined when none does. */
export function reasonForTunnel(_one: TunnelCase, theirs: TunnelView, ours: TunnelView): string | undefined {
  const isLonger = ours.client.startsWith(theirs.client);
  if (isLonger && ours.closed && isDeepStrictEqual(theirs.backEnd, ours.backEnd))
    return "what has come of an answer that stays incomplete is passed on";
  return undefined;
}
