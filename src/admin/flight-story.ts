/** Flight records of a pair as one story: why an instance has its role, and what happened around the last change, aligned in time. */
import type { AdvertRun, FlightEntry } from "../wire/flight/entry.ts";
import type { FlightRecord } from "../wire/flight/record.ts";

/** Changes of role that follow each other within this time are one episode. */
const EPISODE_MS = 10_000;
/** What is told of the time before an episode, and behind it. */
const BEFORE_MS = 10_000;
const BEHIND_MS = 6000;
/** Lines of an instance; those in the middle are left out. */
const MAX_LINES = 400;
/** What the story says in other words anyway. */
const NOISE =
  /Entering \w+ STATE|(removing|setting) VIPs|^Netlink reports|sent 0 priority|Receive advertisement timeout/;

/** One node's record; its clock less that of the node that was asked. */
export interface StorySource {
  readonly record: FlightRecord;
  readonly offsetMs: number | null;
}

/** Something that happened; the instant is by the clock of the node that was asked. */
export interface StoryLine {
  readonly atMs: number;
  readonly node: string;
  readonly text: string;
}

export interface InstanceStory {
  readonly instance: string;
  /** Why things are as they are, in sentences. */
  readonly summary: readonly string[];
  /** The last change of role, undefined: there was none. */
  readonly changedMs: number | undefined;
  readonly lines: readonly StoryLine[];
}

interface Told {
  readonly node: string;
  readonly entry: FlightEntry;
  readonly atMs: number;
}

type RoleChange = Told & { readonly entry: Extract<FlightEntry, { kind: "role" }> };

/** The story of each instance, or of one; `sources`: the record of the node that was asked first. `isAll`: everything that is known. */
export function tellStories(
  sources: readonly StorySource[],
  instance: string | undefined,
  isAll: boolean,
): readonly InstanceStory[] {
  const [own] = sources;
  const routers = (own?.record.routers ?? []).filter(({ name }) => instance === undefined || name === instance);
  return routers.map(({ name, vrid, family }) => {
    const told = sources.flatMap((source) => entriesOf(source, vrid, family));
    return tellStory(name, told, own as StorySource, isAll);
  });
}

/** What a node knows that belongs to a router: its own roles and adverts, and what concerns the whole node. */
function entriesOf({ record, offsetMs }: StorySource, vrid: number, family: 4 | 6): Told[] {
  const names = record.routers
    .filter((router) => router.vrid === vrid && router.family === family)
    .map(({ name }) => name);
  const others = record.routers.map(({ name }) => name).filter((name) => !names.includes(name));
  const isOthers = (text: string): boolean =>
    others.some((name) => text.startsWith(`(${name}) `) || text.startsWith(`VRRP_Instance(${name}) `));
  return record.entries
    .filter((entry) => {
      if (entry.kind === "role") return names.includes(entry.instance);
      if (entry.kind === "adverts") return entry.vrid === vrid && entry.family === family;
      return entry.kind !== "log" || !isOthers(entry.text);
    })
    .map((entry) => ({ node: record.node, entry, atMs: entry.atMs - (offsetMs ?? 0) }));
}

function tellStory(instance: string, told: readonly Told[], own: StorySource, isAll: boolean): InstanceStory {
  const changes = told.filter((one): one is RoleChange => one.entry.kind === "role").sort((a, b) => a.atMs - b.atMs);
  const last = changes.at(-1);
  const episode = episodeOf(changes);
  const fromMs = isAll ? Number.NEGATIVE_INFINITY : (episode[0]?.atMs ?? own.record.savedMs) - BEFORE_MS;
  const untilMs = isAll || last === undefined ? Number.POSITIVE_INFINITY : last.atMs + BEHIND_MS;
  const lines = told
    .flatMap((one) => linesOf(one, own.record.savedMs))
    .filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs)
    .sort((a, b) => a.atMs - b.atMs);
  return {
    instance,
    summary: summaryOf(instance, changes, episode, own),
    changedMs: last?.atMs,
    lines: shortened(lines),
  };
}

/** The last change and those that led to it. */
function episodeOf(changes: readonly RoleChange[]): readonly RoleChange[] {
  let first = changes.length - 1;
  while (first > 0 && (changes[first] as Told).atMs - (changes[first - 1] as Told).atMs <= EPISODE_MS) first--;
  return changes.slice(Math.max(0, first));
}

function shortened(lines: readonly StoryLine[]): readonly StoryLine[] {
  if (lines.length <= MAX_LINES) return lines;
  const half = MAX_LINES / 2;
  const left = lines.length - MAX_LINES;
  const middle = lines[half] as StoryLine;
  return [...lines.slice(0, half), { ...middle, node: "", text: `… ${left} lines more …` }, ...lines.slice(-half)];
}

function linesOf({ node, entry, atMs }: Told, savedMs: number): StoryLine[] {
  const at = (text: string): StoryLine[] => [{ atMs, node, text }];
  switch (entry.kind) {
    case "role":
      return at(`${entry.from} → ${entry.to}, priority ${entry.priority}: ${entry.reason}`);
    case "check":
      return at(`check: ${entry.name} ${entry.text}`);
    case "network":
      return at(`network: ${entry.text}`);
    case "config":
      return at(`configuration: ${entry.text}`);
    case "late":
      return at(
        `late: the timer rang up to ${entry.lateMs} ms too late${entry.count > 1 ? `, ${entry.count} times` : ""}`,
      );
    case "log":
      return NOISE.test(entry.text) ? [] : at(entry.text);
    case "adverts":
      return advertLines(node, entry, atMs, atMs - entry.atMs, savedMs);
  }
}

/** A run has a beginning and, when it is over, an end. */
function advertLines(node: string, run: AdvertRun, atMs: number, shiftMs: number, savedMs: number): StoryLine[] {
  const verb = run.direction === "sent" ? "sends" : "hears";
  const whose = run.direction === "sent" ? "" : ` from ${run.source}`;
  if (run.priority === 0) return [{ atMs, node, text: `${verb} priority 0${whose}: the active router stops` }];
  if (run.priority === 1 && run.count === 1) return [{ atMs, node, text: `${verb} a goodbye${whose} (priority 1)` }];
  const what = `adverts${whose}, priority ${run.priority}`;
  if (run.count === 1) return [{ atMs, node, text: `${verb} an advert${whose}, priority ${run.priority}` }];
  const lines: StoryLine[] = [{ atMs, node, text: `${verb} the first of ${what}` }];
  const untilMs = run.untilMs + shiftMs;
  const everyMs = (untilMs - atMs) / (run.count - 1);
  if (savedMs - untilMs > 2 * Math.max(everyMs, run.longestGapMs))
    lines.push({ atMs: untilMs, node, text: `${verb} the last of ${run.count} ${what}` });
  return lines;
}

function summaryOf(
  instance: string,
  changes: readonly RoleChange[],
  episode: readonly RoleChange[],
  own: StorySource,
): string[] {
  const mine = changes.filter(({ node }) => node === own.record.node).at(-1);
  if (mine === undefined) return [`${instance} has kept its role on ${own.record.node} for the time that is recorded.`];
  const { entry, atMs } = mine;
  const summary = [`${instance} is ${entry.to} on ${mine.node} since ${printClock(atMs)}: ${entry.reason}.`];
  for (const other of new Set(changes.map(({ node }) => node))) {
    const theirs = changes.filter(({ node }) => node === other).at(-1);
    if (other === mine.node || theirs === undefined) continue;
    summary.push(`${other} is ${theirs.entry.to} since ${printClock(theirs.atMs)}: ${theirs.entry.reason}.`);
  }
  if (new Set(episode.map(({ node }) => node)).size > 1) summary.push(...ownerSentences(changes, episode));
  return summary;
}

/** How long nobody was active in an episode, and how long more than one. */
function ownerSentences(changes: readonly RoleChange[], episode: readonly RoleChange[]): string[] {
  const active = new Set<string>();
  const known = new Set<string>();
  const beginMs = (episode[0] as Told).atMs;
  let noneMs = 0;
  let severalMs = 0;
  let atMs = beginMs;
  for (const change of changes) {
    if (change.atMs >= beginMs && known.size > 0) {
      const passedMs = change.atMs - atMs;
      if (active.size === 0) noneMs += passedMs;
      else if (active.size > 1) severalMs += passedMs;
    }
    known.add(change.node);
    if (change.entry.to === "MASTER") active.add(change.node);
    else active.delete(change.node);
    // Whoever leaves the role was in it, though its coming is older than the record.
    atMs = Math.max(change.atMs, beginMs);
  }
  const sentences: string[] = [];
  if (noneMs >= 1) sentences.push(`Nobody was active for ${printMs(noneMs)} of it.`);
  if (severalMs >= 1) sentences.push(`More than one node was active for ${printMs(severalMs)} of it.`);
  return sentences;
}

function printMs(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `12:34:56.789`, in the time zone of the reader. */
export function printClock(atMs: number): string {
  const date = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${time}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The story for people, with a final newline: instants, seconds to the last change, nodes. */
export function printStory({ summary, lines, changedMs }: InstanceStory): string {
  const width = Math.max(0, ...lines.map(({ node }) => node.length));
  const printed = lines.map(({ atMs, node, text }) => {
    const seconds = changedMs === undefined ? "" : ` ${signed((atMs - changedMs) / 1000).padStart(9)} s`;
    return `  ${printClock(atMs)}${seconds}  ${node.padEnd(width)}  ${text}`;
  });
  return `${[...summary, ...(printed.length > 0 ? ["", ...printed] : [])].join("\n")}\n`;
}

function signed(seconds: number): string {
  return `${seconds < 0 ? "-" : "+"}${Math.abs(seconds).toFixed(3)}`;
}
