/** `tandem why`: what happened, and why an instance has its role, from the flight recorders of this node and its partners. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type InstanceStory, printStory, tellStories } from "../admin/flight-story.ts";
import type { AlignedRecord, FlightAnswer } from "../process/flight-desk.ts";
import { askWhy, DEFAULT_STATUS_SOCKET } from "../process/status-socket.ts";
import { readFlightRecord } from "../wire/flight/record.ts";

const USAGE = `usage: tandem why [INSTANCE] [OPTIONS]

Tells why each instance, or this one, has its role, and what happened around its last change: adverts, checks, the network, changes
of the configuration, late timers. With a peer_key the partner's side is told, too, in the time of this node.

  --all          everything that is recorded, not only what is around the last change
  --json         the story as JSON
  --file FILE    of a saved record instead of the running node; again for the other node's
  --socket PATH  where the node answers (default ${DEFAULT_STATUS_SOCKET})
`;

/** Instants that are compared are whole milliseconds. */
const CLOCK_STEP_MS = 1;

/** Runs the command; returns the exit status. */
export async function runWhy(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      file: { type: "string", multiple: true, default: [] },
      socket: { type: "string", default: DEFAULT_STATUS_SOCKET },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help || positionals.length > 1) {
    process[values.help ? "stdout" : "stderr"].write(USAGE);
    return values.help ? 0 : 2;
  }
  const [instance] = positionals;
  try {
    const answer = values.file.length > 0 ? readFiles(values.file) : await askWhy(values.socket);
    const stories = tellStories(answer.records, instance, values.all);
    if (stories.length === 0)
      throw new Error(instance === undefined ? "no instance is configured" : `there is no instance ${instance}`);
    process.stdout.write(values.json ? printJson(answer, stories) : printText(answer, stories));
    return 0;
  } catch (error) {
    process.stderr.write(`tandem: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Records of several nodes are as far apart as their clocks. */
function readFiles(files: readonly string[]): FlightAnswer {
  const records = files.map((file): AlignedRecord => {
    const record = readFlightRecord(readFileSync(file, "utf8"));
    if (typeof record === "string") throw new Error(`${file}: ${record}`);
    return { record, offsetMs: null, roundTripMs: null };
  });
  return { records, silent: [] };
}

function printText({ records, silent }: FlightAnswer, stories: readonly InstanceStory[]): string {
  const notes = records.slice(1).map(({ record: { node }, offsetMs, roundTripMs }) => {
    if (offsetMs === null) return `${node}'s times are those of its own clock.`;
    return `${node}'s clock is ${Math.abs(offsetMs).toFixed(1)} ms ${offsetMs < 0 ? "behind" : "ahead"} (± ${((roundTripMs ?? 0) / 2 + CLOCK_STEP_MS).toFixed(1)} ms); its times are told in ours.`;
  });
  for (const node of silent) notes.push(`${node} has not sent its record.`);
  return [...stories.map(printStory), ...(notes.length > 0 ? [`${notes.join("\n")}\n`] : [])].join("\n");
}

function printJson({ records, silent }: FlightAnswer, stories: readonly InstanceStory[]): string {
  const nodes = records.map(({ record: { node, version, savedMs, why }, offsetMs, roundTripMs }) => ({
    node,
    version,
    savedAt: new Date(savedMs).toISOString(),
    why,
    clockOffsetMs: offsetMs,
    roundTripMs,
  }));
  const instances = stories.map(({ instance, summary, changedMs, lines }) => ({
    instance,
    summary,
    changedAt: changedMs === undefined ? null : new Date(changedMs).toISOString(),
    lines: lines.map(({ atMs, node, text }) => ({ at: new Date(atMs).toISOString(), node, text })),
  }));
  return `${JSON.stringify({ nodes, silent, instances }, undefined, 2)}\n`;
}
