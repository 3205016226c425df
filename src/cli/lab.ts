/** `tandem lab DIR…`: rehearses a pair's configuration on this machine, in network namespaces. */

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { type NodeFiles, readPairFiles } from "../lab/files.ts";
import { CHECKOUT, type Flavour, type FlavourName, flavourOf } from "../lab/flavours.ts";
import { planOf } from "../lab/load-pair.ts";
import { isInside, isUserNamespace, runInside, whyNot } from "../lab/namespaces.ts";
import { NODES, type NodeName, PlanError } from "../lab/plan.ts";
import { allHold, Rehearsal } from "../lab/rehearsal.ts";
import { printTable, toJson } from "../lab/report.ts";
import type { Measurement, Scenario } from "../lab/scenario.ts";
import { SCENARIOS } from "../lab/scenarios/all.ts";
import { BASELINE } from "../lab/scenarios/baseline.ts";
import type { StreamedRun } from "../lab/series.ts";
import { filesForUserNamespace, USER_NAMESPACE_NOTE } from "../lab/user-namespace.ts";
import { measureSeries, type SeriesWishes } from "./lab-series.ts";

const USAGE = `usage: tandem lab DIR [DIR] [OPTION]…       rehearse the pair of DIR/a and DIR/b, or of two directories
       tandem lab shell a|b|client          a shell in a lab that --keep left up

A directory holds nginx.conf, keepalived.conf and what they refer to; a node sees them in /etc/nginx and /etc/keepalived.
What lies in DIR itself belongs to both nodes.

  --scenario NAME,…        only these, after a measurement without a fault
  --list                   names the scenarios
  --runs N                 runs each scenario N times
  --peer keepalived        node b runs the nginx and keepalived of this machine
  --peer keepalived=a|b    the same for the node that is named
  --peer both              both nodes do: how the originals behave
  --keep                   leaves the pair up until interrupted
  --json                   prints the results as JSON; the live lines go to standard error

Many runs, for figures (p50, p99 and the greatest of the clients' gaps and failures):
  --compare                the same with nginx and keepalived on both nodes, side by side
  --record FILE            keeps every run in FILE; the same command goes on where it was ended
  --parallel N             so many labs at once, by default one for every two processors; what needs a processor for itself runs alone
  --table FILE             writes the table to FILE, in Markdown
  --stream                 prints each run as a line of JSON; the live lines go to standard error
`;
/** Exit status of a rehearsal that was told to end, as shells have it for SIGINT. */
const INTERRUPTED = 130;
/** Labs at once: each is a dozen processes. */
const MOST_LABS = 64;
const STATE_PREFIX = "tandem-lab-state-";

interface Options {
  readonly directories: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly flavours: Readonly<Record<NodeName, Flavour>>;
  readonly runs: number;
  readonly keep: boolean;
  readonly json: boolean;
  readonly stream: boolean;
  /** undefined: one lab, in this process. */
  readonly series: SeriesWishes | undefined;
}

/** A mistake on the command line. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Runs the command; the exit status is 0 when every expectation holds, 1 when one is broken, 2 when nothing could be rehearsed. */
export async function runLab(args: readonly string[]): Promise<number> {
  try {
    if (args[0] === "shell") return await openShell(args[1]);
    const options = readOptions(args);
    if (options === undefined) return 0;
    const missing = isInside() ? undefined : whyNot();
    if (missing !== undefined) return complain(missing);
    if (options.series !== undefined) return await measureSeries({ ...options, ...options.series });
    if (!isInside()) return await runInside(process.argv[1] as string, ["lab", ...args]);
    return await rehearse(options);
  } catch (error) {
    if (error instanceof UsageError) return complain(`${error.message}\n\n${USAGE}`);
    if (error instanceof PlanError) return complain(error.message);
    throw error;
  }
}

function complain(message: string): number {
  process.stderr.write(`tandem lab: ${message}\n`);
  return 2;
}

/** undefined when there is nothing to do but to have printed something. Throws `UsageError`. */
function readOptions(args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help === true) {
    process.stdout.write(USAGE);
    return undefined;
  }
  if (values.list === true) {
    const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
    for (const { name, title } of SCENARIOS) process.stdout.write(`${name.padEnd(width)}  ${title}\n`);
    return undefined;
  }
  const runs = Number(values.runs ?? 1);
  if (!Number.isInteger(runs) || runs < 1 || runs > 1000)
    throw new UsageError(`--runs ${values.runs}: not a number of runs`);
  if (positionals.length === 0) throw new UsageError("which directory holds the pair's files?");
  return {
    directories: positionals,
    scenarios: chooseScenarios(values.scenario),
    flavours: chooseFlavours(values.peer),
    runs,
    keep: values.keep === true,
    json: values.json === true,
    stream: values.stream === true,
    series: chooseSeries(values),
  };
}

/** What makes a series of several runs. Throws `UsageError`. */
function chooseSeries(values: ReturnType<typeof parse>["values"]): SeriesWishes | undefined {
  const { compare, record, parallel, table, json, keep, stream } = values;
  if (compare !== true && record === undefined && parallel === undefined && table === undefined) return undefined;
  if (json === true || keep === true || stream === true)
    throw new UsageError(
      "--json, --keep and --stream are for one lab, not for --compare, --record, --parallel or --table",
    );
  const labs = Number(parallel ?? Math.max(1, Math.floor(availableParallelism() / 2)));
  if (!Number.isInteger(labs) || labs < 1 || labs > MOST_LABS)
    throw new UsageError(`--parallel ${parallel}: not a number from 1 to ${MOST_LABS}`);
  const original = compare === true ? chooseFlavours("both") : undefined;
  return { record, table, parallel: labs, original, peer: values.peer };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        scenario: { type: "string" },
        runs: { type: "string" },
        peer: { type: "string" },
        keep: { type: "boolean" },
        json: { type: "boolean" },
        stream: { type: "boolean" },
        compare: { type: "boolean" },
        record: { type: "string" },
        parallel: { type: "string" },
        table: { type: "string" },
        list: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** All, or those that are named, in the order of the list. */
function chooseScenarios(names: string | undefined): readonly Scenario[] {
  if (names === undefined) return SCENARIOS;
  const wanted = names.split(",");
  const unknown = wanted.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new UsageError(`no scenario is called "${unknown}" (tandem lab --list)`);
  // Figures mean nothing without the noise of the machine that they are measured on.
  return SCENARIOS.filter(({ name }) => wanted.includes(name) || name === BASELINE);
}

function chooseFlavours(peer: string | undefined): Readonly<Record<NodeName, Flavour>> {
  const originals: readonly NodeName[] | undefined =
    peer === undefined
      ? []
      : ({ keepalived: ["b"], "keepalived=b": ["b"], "keepalived=a": ["a"], both: NODES } as const)[peer as "both"];
  if (originals === undefined) throw new UsageError(`--peer ${peer}: keepalived, keepalived=a, keepalived=b or both`);
  const choose = (node: NodeName): Flavour => {
    const name: FlavourName = originals.includes(node) ? "keepalived" : "tandem";
    const flavour = flavourOf(name);
    if (typeof flavour === "string") throw new PlanError(flavour);
    return flavour;
  };
  return { a: choose("a"), b: choose("b") };
}

/** What every node has unless it brings its own. */
function sharedFiles(): NodeFiles {
  return new Map([["mime.types", { mode: 0o644, bytes: readFileSync(path.join(CHECKOUT, "conf", "mime.types")) }]]);
}

/** The rehearsal itself, inside the lab's namespaces. */
async function rehearse(options: Options): Promise<number> {
  const isForPrograms = options.json || options.stream;
  const print = (line: string): void => void (isForPrograms ? process.stderr : process.stdout).write(`${line}\n`);
  let files = readPairFiles(options.directories);
  if (isUserNamespace()) {
    print(USER_NAMESPACE_NOTE);
    files = { a: filesForUserNamespace(files.a), b: filesForUserNamespace(files.b) };
  }
  const rehearsal = new Rehearsal({
    files,
    sharedFiles: sharedFiles(),
    flavours: options.flavours,
    scenarios: options.scenarios,
    runs: options.runs,
    plan: planOf,
    print,
    repeatsLate: !options.stream,
    ...(options.stream ? { onRun: streamRun } : {}),
  });
  let keepLogs = true;
  let status = 1;
  const interrupted = new Promise<number>((resolve) => {
    // Ctrl-C comes twice: from the terminal, and passed on by whoever has started us. The second must not kill.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(INTERRUPTED));
    process.once("disconnect", () => resolve(INTERRUPTED)); // whoever started the lab has died
  });
  try {
    status = await Promise.race([interrupted, runAll(rehearsal, options)]);
    if (options.keep && status !== INTERRUPTED) {
      const end = await Promise.race([interrupted, keepUp(rehearsal)]);
      if (end !== INTERRUPTED) status = end;
    }
    keepLogs = status === 1 && !options.stream;
    if (keepLogs) process.stderr.write(`Logs of the nodes and a capture of the switch: ${rehearsal.directory}\n`);
    return status;
  } finally {
    await rehearsal.close(keepLogs);
    // A scenario in its midst would go on until it notices that its nodes have gone.
    if (status === INTERRUPTED) process.exit(INTERRUPTED);
    if (process.connected) process.disconnect();
  }
}

function streamRun({ name }: Scenario, run: Measurement | Error): void {
  const told: StreamedRun =
    run instanceof Error ? { scenario: name, error: run.message } : { scenario: name, measurement: run };
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

async function runAll(rehearsal: Rehearsal, options: Options): Promise<number> {
  const results = await rehearsal.run();
  if (options.json) {
    const nodes = { a: options.flavours.a.title, b: options.flavours.b.title };
    process.stdout.write(`${toJson(results, { nodes, runs: options.runs })}\n`);
  } else if (!options.stream) process.stdout.write(`\n${printTable(results)}\n`);
  return allHold(results) ? 0 : 1;
}

/** Leaves the pair up; where its namespaces are is written down for `tandem lab shell`. Never resolves. */
async function keepUp(rehearsal: Rehearsal): Promise<number> {
  try {
    await rehearsal.bringUp();
  } catch (error) {
    return complain(`the pair does not come up: ${(error as Error).message}`);
  }
  const { pair } = rehearsal;
  if (pair === undefined) return 0;
  const pids = Object.fromEntries([...NODES, "client"].map((name) => [name, pair.agent(name).namespacePid]));
  const state = path.join(tmpdir(), `${STATE_PREFIX}${process.pid}.json`);
  writeFileSync(state, JSON.stringify({ lab: process.pid, pids }));
  process.once("exit", () => rmSync(state, { force: true }));
  process.stdout.write(`\nThe pair stays up: tandem lab shell a|b|client enters it, Ctrl-C ends it.\n`);
  return new Promise(() => {});
}

/** Enters the namespaces of a station of the lab that was left up last. */
async function openShell(name: string | undefined): Promise<number> {
  if (name === undefined || ![...NODES, "client"].includes(name))
    throw new UsageError("shell of which station: a, b or client?");
  const pid = findKept()?.[name];
  if (pid === undefined) return complain("no lab is up (tandem lab DIR --keep)");
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const shell = spawn(
    "nsenter",
    [...user, "--net", "--mount", "--pid", "--target", String(pid), process.env["SHELL"] ?? "/bin/sh"],
    {
      stdio: "inherit",
      env: { ...process.env, PS1: `${name}# ` },
    },
  );
  return new Promise((resolve, reject) => {
    shell.on("error", reject);
    shell.on("exit", (status) => resolve(status ?? 1));
  });
}

/** Namespace pids by station of the newest lab that lives. */
function findKept(): Readonly<Record<string, number>> | undefined {
  const states = readdirSync(tmpdir())
    .filter((name) => name.startsWith(STATE_PREFIX))
    .map(
      (name) =>
        JSON.parse(readFileSync(path.join(tmpdir(), name), "utf8")) as { lab: number; pids: Record<string, number> },
    )
    .filter(({ lab }) => isAlive(lab));
  return states.sort((x, y) => x.lab - y.lab).at(-1)?.pids;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
