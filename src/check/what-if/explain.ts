/** Every single and double fault of a unit: who has the addresses afterwards, why, what clients miss, and what is a trap. */
import { printSpan, type Span } from "../failover.ts";
import { type CheckedScript, trackedScripts } from "../subject.ts";
import { standingOf } from "./assess.ts";
import { type Event, type Play, play, settled } from "./engine.ts";
import { type Fault, faultsOf, isPossible, printFault } from "./faults.ts";
import { type Damping, dampingsOf } from "./flap-damping.ts";
import { freshWorld, isUseful, type Unit, type UnitNode, type World } from "./world.ts";

/** What follows from one fault, or from a second one when everything has come to rest behind the first. */
export interface Outcome {
  readonly faults: readonly Fault[];
  readonly texts: readonly string[];
  /** Labels of the nodes that hold the addresses in the end. More than one word in `either`: it depends on the moment. */
  readonly holders: readonly string[];
  readonly either: readonly string[] | undefined;
  /** The first take-over, counted from the last of the faults; undefined: nobody takes anything. */
  readonly taken: { readonly by: string; readonly span: Span } | undefined;
  /** What clients miss after the last of the faults; "for ever": until somebody mends something. */
  readonly gap: Span | "for ever";
  /** A later return to another holder, with nothing missed. */
  readonly returns: { readonly to: string; readonly span: Span } | undefined;
  /** More than one node holds the addresses. */
  readonly isSplit: boolean;
  /** Nobody serves although a node is there that could. */
  readonly isTrap: boolean;
  /** Sentences without full stops. */
  readonly why: readonly string[];
}

export interface Explanation {
  readonly unit: Unit;
  readonly holders: readonly string[];
  readonly nodes: readonly { readonly label: string; readonly priority: number; readonly faults: readonly string[] }[];
  readonly singles: readonly Outcome[];
  readonly doubles: readonly Outcome[];
  /** Traps that only the computation can see; sentences without full stops. */
  readonly traps: readonly string[];
  /** What is held back when health comes and goes. */
  readonly dampings: readonly Damping[];
}

/** The faults of one unit. */
export function explainUnit(unit: Unit): Explanation {
  const start = settled(unit, freshWorld(unit));
  const faults = faultsOf(unit);
  const singles: Outcome[] = [];
  const doubles: Outcome[] = [];
  for (const first of faults) {
    const single = twice(unit, start, first);
    singles.push(outcomeOf(unit, [first], single));
    for (const second of faults)
      if (isPossible(single.late.world, second)) {
        const double = twice(unit, single.late.world, second);
        doubles.push(outcomeOf(unit, [first, second], double));
      }
  }
  return {
    unit,
    holders: start.holders.map((i) => labelOf(unit, i)),
    nodes: unit.nodes.map(({ node }, i) => {
      const { priorities, faults: present } = standingOf(unit, start, i);
      return { label: node.label, priority: priorities[0] ?? 0, faults: present };
    }),
    singles,
    doubles,
    traps: trapsOf(unit, start),
    dampings: dampingsOf(unit),
  };
}

interface Twice {
  readonly early: Play;
  readonly late: Play;
}

function twice(unit: Unit, world: World, fault: Fault): Twice {
  return { early: play(unit, world, fault, "early"), late: play(unit, world, fault, "late") };
}

function labelOf(unit: Unit, index: number): string {
  return unit.nodes[index]?.node.label ?? "";
}

function outcomeOf(unit: Unit, faults: readonly Fault[], { early, late }: Twice): Outcome {
  const holders = late.world.holders.map((i) => labelOf(unit, i));
  const others = early.world.holders.map((i) => labelOf(unit, i));
  const gap = gapOf(early, late);
  const isWell = unit.nodes.some(
    (_, i) => late.world.conditions[i]?.runsVrrp === true && isUseful(unit, late.world, i),
  );
  const isTrap = gap === "for ever" && isWell;
  const takes = takesOf(late);
  const [taken] = spansOf(unit, early, late);
  const again = takes.length > 1 ? spansOf(unit, early, late).at(-1) : undefined;
  return {
    faults,
    texts: faults.map((fault) => printFault(unit, fault)),
    holders,
    either: holders.join() === others.join() ? undefined : [...new Set([...holders, ...others])],
    taken: taken === undefined ? undefined : { by: taken.node, span: taken.span },
    gap,
    returns: again === undefined ? undefined : { to: again.node, span: again.span },
    isSplit: holders.length > 1,
    isTrap,
    why: [...why(unit, early, late), ...(gap === "for ever" ? whyUnserved(unit, late.world, isWell) : [])],
  };
}

function gapOf(early: Play, late: Play): Span | "for ever" {
  if (!Number.isFinite(early.gapMs) || !Number.isFinite(late.gapMs)) return "for ever";
  return { minMs: Math.min(early.gapMs, late.gapMs), maxMs: Math.max(early.gapMs, late.gapMs) };
}

type Takes = Extract<Event, { kind: "takes" }>;

function takesOf({ events }: Play): readonly Takes[] {
  return events.filter((event) => event.kind === "takes");
}

/** Take-overs with the span between the two plays, as far as both have the same ones. */
function spansOf(unit: Unit, early: Play, late: Play): readonly { readonly node: string; readonly span: Span }[] {
  const first = takesOf(early);
  return takesOf(late).map((take, i) => {
    const other = first[i];
    const sooner = other === undefined || other.node !== take.node ? take.atMs : other.atMs;
    return {
      node: labelOf(unit, take.node),
      span: { minMs: Math.min(sooner, take.atMs), maxMs: Math.max(sooner, take.atMs) },
    };
  });
}

/** The story of the late play, in sentences. */
function why(unit: Unit, early: Play, late: Play): readonly string[] {
  const sentences: string[] = [];
  const spans = spansOf(unit, early, late);
  let take = 0;
  for (const event of late.events)
    switch (event.kind) {
      case "leaves":
        sentences.push(leaving(unit, event));
        break;
      case "takes":
        sentences.push(taking(unit, event, spans[take++]?.span, late.events));
        break;
      case "yields":
        if (event.atMs > 0) sentences.push(`${labelOf(unit, event.node)} gives way to ${labelOf(unit, event.to)}`);
        break;
    }
  if (late.world.holders.length > 1)
    sentences.push(
      "each of them answers for the addresses; when they hear each other again, the higher priority keeps them",
    );
  return sentences;
}

function leaving(unit: Unit, { node, isGoodbye, why: reason, atMs }: Extract<Event, { kind: "leaves" }>): string {
  const who = labelOf(unit, node);
  const after = atMs > 0 ? ` after at most ${printSpan({ minMs: atMs, maxMs: atMs })}` : "";
  if (isGoodbye) return `${who} lets go and says goodbye${after}${reason === "" ? "" : ` (${reason})`}`;
  return reason === "" ? `${who} falls silent` : `${who} lets go unheard (${reason})`;
}

function taking(unit: Unit, { node, cause, waitMs }: Takes, span: Span | undefined, events: readonly Event[]): string {
  const who = labelOf(unit, node);
  const instance = unit.nodes[node]?.instances[0];
  const within = span === undefined ? "" : `: ${printSpan(span)}`;
  const adverts = `${instance?.downTimerAdverts} adverts of ${printSpan(exactly(instance?.advertIntervalMs ?? 0))} and its skew`;
  switch (cause) {
    case "goodbye":
      return `${who} takes over after its skew of ${printSpan(exactly(waitMs))}${within}`;
    case "silence":
      return `${who} takes over when it has missed ${adverts}${within}`;
    case "bfd":
      return `${who} takes over when BFD has missed the other node for its detection time, and a part of that as skew${within}`;
    case "outranked":
      return `${who} ranks above it then, and takes over after ${instance?.preemptDelayMs ? "preempt_delay and " : ""}${
        unit.program === "tandem" && instance?.preemptDelayMs === 0
          ? `its skew of ${printSpan(exactly(waitMs))}`
          : adverts
      }${within}`;
    case "preempts":
      return events.some((event) => event.kind === "takes" && event.node !== node)
        ? `${who} is back and ranks above: it takes the addresses back${within}`
        : `${who} has missed ${adverts} since its start${within}`;
    case "handover":
      return `${who} takes the addresses first (peer_key), and open connections go on where they are`;
  }
}

function exactly(ms: number): Span {
  return { minMs: ms, maxMs: ms };
}

/** Why nobody serves in the end. */
function whyUnserved(unit: Unit, world: World, isWell: boolean): readonly string[] {
  const sentences: string[] = [];
  const { holders, conditions } = world;
  for (const [i, node] of unit.nodes.entries()) {
    const condition = conditions[i];
    if (condition?.runsVrrp !== true) continue;
    const { faults } = standingOf(unit, world, i);
    if (faults.length > 0) sentences.push(`${node.node.label} is in fault: ${faults.join(", ")}`);
    else if (!holders.includes(i)) sentences.push(...whyBackup(unit, world, i));
    else for (const service of condition.deadServices) sentences.push(...whyKept(unit, world, i, service, isWell));
  }
  if (sentences.length === 0) sentences.push("no node is left that clients could reach");
  return sentences;
}

function whyBackup(unit: Unit, world: World, index: number): readonly string[] {
  const holder = world.holders.find((h) => h !== index);
  const instance = unit.nodes[index]?.instances[0];
  if (holder === undefined || instance === undefined) return [];
  const [own, theirs] = [index, holder].map((i) => standingOf(unit, world, i).priorities[0] ?? 0) as [number, number];
  if (instance.nopreempt && own > theirs)
    return [
      `${labelOf(unit, index)} has nopreempt: it waits for as long as it hears adverts, however low their priority`,
    ];
  return own > theirs
    ? []
    : [`${labelOf(unit, index)} waits: its priority ${own} is not above ${labelOf(unit, holder)}'s ${theirs}`];
}

/** Why a node with a dead service keeps the addresses. */
function whyKept(unit: Unit, world: World, index: number, service: string, isWell: boolean): readonly string[] {
  const node = unit.nodes[index] as UnitNode;
  const who = node.node.label;
  if (!isWell) return [`${service} is dead on ${who}, and no other node is well`];
  const scripts = scriptsOf(node).filter((checked) => checked.service === service);
  const tracksProcess = node.instances.some(({ tracks }) => tracks.processes.length > 0);
  if (node.instances.some(({ priority, where }) => priority === 255 && where.has("track_script")))
    return [`priority 255 owns the addresses of ${who}: no weight lowers it`];
  const isWritten = node.instances.some(({ where }) => where.has("track_script") || where.has("track_process"));
  if (scripts.length === 0 && !tracksProcess && isWritten && node.group !== undefined)
    return [`${who} is in sync group ${node.group.name}, where the weights of single members do not count`];
  if (scripts.length === 0 && !tracksProcess) return [`nothing in the configuration of ${who} looks at ${service}`];
  const blind = scripts.find(({ runs }) => runs?.whileBroken.verdict === "success");
  if (blind !== undefined) return [`the check ${blind.script.name} of ${who} succeeds although ${service} is dead`];
  const constant = scripts.find(({ runs }) => runs?.whileUp.verdict === "failure");
  if (constant !== undefined)
    return [`the check ${constant.script.name} of ${who} fails all the time, so nothing changes when ${service} dies`];
  const { priorities } = standingOf(unit, world, index);
  return [`the priority of ${who} is ${priorities[0]} with a failed check`];
}

function scriptsOf(node: UnitNode): readonly CheckedScript[] {
  return node.instances.flatMap((instance) => trackedScripts(node.node, instance)).map(({ checked }) => checked);
}

/** What no single fault shows. */
function trapsOf(unit: Unit, start: World): readonly string[] {
  const traps: string[] = [];
  for (const [i, node] of unit.nodes.entries()) {
    const who = node.node.label;
    const { faults } = standingOf(unit, start, i);
    if (faults.length > 0) traps.push(`${who} is in fault although nothing is wrong: ${faults.join(", ")}`);
    for (const { runs, script } of scriptsOf(node))
      if (runs === undefined || runs.whileBroken.verdict === undefined)
        traps.push(
          `what ${script.name} of ${who} does can't be read: it is taken for a check that fails when its service is dead`,
        );
  }
  if (unit.nodes.length < 2) traps.push("there is no other node: every fault is the end of the service");
  return [...new Set(traps)];
}
