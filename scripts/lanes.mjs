/**
 * Which test file may run beside which. A file says what it is in its first line, `// lane: KIND`; those of test/netns/ wait unless they say
 * something else, and all others are of the host.
 *
 * * `host`: serves on the machine's own loopback (ports of its own, folders of its own) or computes. Two at once, as processors go.
 * * `waits`: has network namespaces of its own and mostly waits for timers. Two at once, and never beside a file of the host: nodes with
 *   bounds of a second or less (a hang, three adverts) must get their processors.
 * * `measures`: waits, and holds how long something took against a bound. One at a time, beside one that waits at most.
 * * `alone`: nothing is beside it.
 */
import { readFileSync } from "node:fs";

const KINDS = ["alone", "host", "measures", "waits"];
const FIRST_LINE = /^\/\/ lane: (\S+)/;

/** The kind of a test file, of which `name` is the path in the checkout and `text` the content. Throws for an unknown one. */
export function kindOf(name, text) {
  const said = FIRST_LINE.exec(text)?.[1];
  if (said === undefined) return name.startsWith("test/netns/") ? "waits" : "host";
  if (!KINDS.includes(said)) throw new Error(`${name}: there is no lane "${said}", but ${KINDS.join(", ")}`);
  return said;
}

/**
 * What runs when: stages one after the other, in each of them lanes beside each other; a lane takes the first file of its first queue that
 * has one left. `weightOf` is how long a file takes, in whatever unit: the longest go first, so that no lane ends long after the others.
 */
export function stagesOf(files, weightOf) {
  const of = (kind) =>
    files
      .filter((file) => file.kind === kind)
      .map((file) => ({ file, weight: weightOf(file) }))
      .sort((a, b) => b.weight - a.weight)
      .map(({ file }) => file);
  const [alone, host, measures, waits] = KINDS.map(of);
  return [[[host], [host]], [[measures, waits], [waits]], [[alone]]];
}

/** Runs every file of the stages, `run` being called with one; resolves when all have ended. */
export async function runStages(stages, run) {
  for (const lanes of stages)
    await Promise.all(
      lanes.map(async (queues) => {
        for (;;) {
          const file = queues.find((queue) => queue.length > 0)?.shift();
          if (file === undefined) return;
          await run(file);
        }
      }),
    );
}

/** Seconds that files took last time on this machine, by name; nothing where there was no last time. */
export function readSeconds(file) {
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(file, "utf8"))));
  } catch {
    return new Map();
  }
}
