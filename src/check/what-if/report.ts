/** The what-if as text for a person, and as a document for programs. */
import { printIp } from "../../base/ip.ts";
import { printSpan } from "../failover.ts";
import type { Finding } from "../finding.ts";
import type { Explanation, Outcome } from "./explain.ts";
import { printDamping } from "./flap-damping.ts";

/** How much to print. */
export interface Style {
  readonly columns: number;
  /** Every pair of faults, instead of those that say something. */
  readonly isWhole: boolean;
}

const MAX_COLUMNS = 120;

/** Text with an end of line. */
export function printExplanations(
  explanations: readonly Explanation[],
  findings: readonly Finding[],
  { columns, isWhole }: Style,
): string {
  const width = Math.min(MAX_COLUMNS, Math.max(60, columns));
  const lines: string[] = [];
  for (const explanation of explanations) lines.push(...printUnit(explanation, width, isWhole));
  const traps = [
    ...explanations.flatMap(({ traps: found }) => found),
    ...findings.map(({ title, nodes, places, why }) => {
      const [place] = places;
      const who = nodes === undefined ? "" : `${nodes.join(" and ")}: `;
      return `${who}${title}${place === undefined ? "" : ` (${place.file}:${place.line})`}. ${why}`;
    }),
  ];
  lines.push("", traps.length === 0 ? "No other traps were found." : `Traps (${traps.length})`);
  for (const trap of traps) lines.push(...wrap(`* ${/[.!?]$/.test(trap) ? trap : `${trap}.`}`, "  ", width));
  return `${lines.join("\n")}\n`;
}

function printUnit(explanation: Explanation, width: number, isWhole: boolean): readonly string[] {
  const { unit, singles, doubles, nodes, holders, dampings } = explanation;
  const addresses =
    unit.nodes[0]?.instances.flatMap((instance) => instance.addresses.map(({ address }) => printIp(address))) ?? [];
  const shown = `${addresses.slice(0, 3).join(", ")}${addresses.length > 3 ? " …" : ""}`;
  const ranks = nodes.map(({ label, priority }) => `${label} ${priority}`).join(", ");
  const lines = wrap(
    `${unit.name} (${shown}): ${holders.join(" and ") || "nobody"} has the addresses; priorities ${ranks}`,
    "",
    width,
  );
  lines.push("", "One fault");
  for (const outcome of singles) lines.push(...printOutcome(outcome, width));
  const told = isWhole ? doubles : doubles.filter(({ isTrap }) => isTrap);
  lines.push("", ...wrap(summaryOf(doubles, isWhole), "", width));
  for (const outcome of told) lines.push(...printOutcome(outcome, width));
  if (dampings.length > 0) lines.push("", "Flap damping");
  for (const damping of dampings) lines.push(...wrap(`· ${printDamping(damping)}.`, "  ", width));
  return ["", ...lines];
}

function summaryOf(doubles: readonly Outcome[], isWhole: boolean): string {
  const traps = doubles.filter(({ isTrap }) => isTrap).length;
  const split = doubles.filter(({ isSplit, isTrap }) => isSplit && !isTrap).length;
  const lost = doubles.filter(({ gap, isTrap }) => gap === "for ever" && !isTrap).length;
  const served = doubles.length - traps - split - lost;
  const longest = Math.max(0, ...doubles.map(({ gap }) => (gap === "for ever" ? 0 : gap.maxMs)));
  const rest = isWhole || traps === 0 ? "" : ". These last ones:";
  return (
    `Two faults, the second when everything has come to rest behind the first (${doubles.length}): ${served} are survived, ` +
    `the longest wait that ends by itself is ${printSpan({ minMs: longest, maxMs: longest })}; ${split} leave more than one owner, ` +
    `${lost} leave no node that could serve, ${traps} leave nobody serving although a node is well${rest}`
  );
}

function printOutcome(outcome: Outcome, width: number): readonly string[] {
  const { texts, holders, either, gap, isSplit, isTrap, why, taken, returns } = outcome;
  const wait =
    gap === "for ever"
      ? "clients wait for ever"
      : gap.maxMs === 0
        ? "clients notice nothing"
        : `clients wait ${printSpan(gap)}`;
  const who = either === undefined ? holders.join(" and ") || "nobody" : `one of ${either.join(" and ")}`;
  const then =
    returns === undefined || taken === undefined
      ? who
      : `${taken.by}, and ${returns.to} again after ${printSpan(returns.span)}`;
  const mark = isTrap ? "✗" : isSplit ? "!" : gap === "for ever" ? "✗" : "·";
  const head = wrap(`${mark} ${texts.join(", then ")}: ${wait}; then ${then}`, "  ", width);
  return why.length === 0 ? head : [...head, ...wrap(`${why.join("; ")}.`, "      ", width)];
}

function wrap(text: string, indent: string, columns: number): string[] {
  const width = columns - indent.length;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, indent + line];
}

/** One document, whose shape is kept. Times are milliseconds; `null` is "nothing of the kind". */
export function explanationsJson(explanations: readonly Explanation[], findings: readonly Finding[]): string {
  const outcomeOf = ({ faults, texts, holders, either, taken, gap, returns, isSplit, isTrap, why }: Outcome) => ({
    faults: faults.map(({ kind, what, node }, i) => ({ kind, node, what: what === "" ? null : what, text: texts[i] })),
    holders,
    either: either ?? null,
    taken: taken ?? null,
    clientsWait: gap === "for ever" ? null : gap,
    returns: returns ?? null,
    isSplit,
    isTrap,
    why,
  });
  const document = {
    version: 1,
    units: explanations.map(({ unit, holders, nodes, singles, doubles, traps, dampings }) => ({
      name: unit.name,
      program: unit.program,
      instances: unit.nodes[0]?.instances.map(({ name }) => name) ?? [],
      nodes,
      holders,
      singles: singles.map(outcomeOf),
      doubles: doubles.map(outcomeOf),
      traps,
      flapDamping: dampings,
    })),
    findings,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
