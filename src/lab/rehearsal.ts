/** A rehearsal: builds the pair, runs scenarios in order, restages the files where one needs another configuration. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { printIp } from "../base/ip.ts";
import { SwitchCapture } from "./capture-file.ts";
import { KEEPALIVED_CONF, NGINX_CONF, type NodeFiles, stageFiles } from "./files.ts";
import type { Flavour } from "./flavours.ts";
import { Pair } from "./pair.ts";
import type { NodeName, PairPlan } from "./plan.ts";
import type { StagedFile } from "./protocol.ts";
import { printRun, type Result, verdictOf } from "./report.ts";
import { type Measurement, type Scenario, Stage } from "./scenario.ts";
import { BASELINE } from "./scenarios/baseline.ts";
import { nowMs } from "./time.ts";
import { asWritten, type Variant } from "./variants.ts";

export interface RehearsalOptions {
  readonly files: Readonly<Record<NodeName, NodeFiles>>;
  /** Files that a node gets unless it brings its own, such as mime.types. */
  readonly sharedFiles: NodeFiles;
  readonly flavours: Readonly<Record<NodeName, Flavour>>;
  readonly scenarios: readonly Scenario[];
  readonly runs: number;
  /** From the staged files of both nodes; throws `PlanError`. */
  readonly plan: (staged: Readonly<Record<NodeName, readonly StagedFile[]>>) => PairPlan;
  /** A live line. */
  readonly print: (line: string) => void;
  /** A run that is only late is made again; not when the delays themselves are what is wanted. */
  readonly repeatsLate: boolean;
  /** A run has ended: what it has measured, or why it could not be finished. */
  readonly onRun?: (scenario: Scenario, run: Measurement | Error) => void;
}

/** A pair that has not come up so often will not come up for the next scenario either. */
const MAX_FAILED_IN_A_ROW = 2;
/** How often a scenario is run when nothing is wrong with it but a delay. */
const MAX_TRIES = 3;

type Staged = Readonly<Record<NodeName, readonly StagedFile[]>>;

export class Rehearsal {
  readonly #options: RehearsalOptions;
  readonly #startedMs = nowMs();
  /** Holds the logs of the nodes and the capture. */
  readonly directory = mkdtempSync(path.join(tmpdir(), "tandem-lab-"));
  #pair: Pair | undefined;
  #stage: Stage | undefined;
  #variant: Variant | undefined;
  #logFd = openSync(path.join(this.directory, "lab.log"), "a");
  #networks = 0;
  #noiseMs = 0;
  #failedInARow = 0;
  #capture: SwitchCapture | undefined;

  constructor(options: RehearsalOptions) {
    this.#options = options;
  }

  /** The pair, once it has been built. */
  get pair(): Pair | undefined {
    return this.#pair;
  }

  /** Runs every scenario so many times; a scenario that fails does not keep the next ones from running. */
  async run(): Promise<readonly Result[]> {
    const results: Result[] = [];
    for (const scenario of this.#options.scenarios) {
      const unsuited = scenario.unsuited?.(this.#options.flavours);
      if (unsuited !== undefined) {
        this.#print(`${scenario.title}: left out, ${unsuited}`);
        continue;
      }
      const runs: Measurement[] = [];
      const errors: string[] = [];
      for (let i = 0; i < this.#options.runs; i++) {
        this.#print(`${scenario.title}${this.#options.runs > 1 ? ` (run ${i + 1})` : ""}`);
        try {
          const { runs: wanted, repeatsLate } = this.#options;
          for (let tries = wanted === 1 && repeatsLate ? MAX_TRIES : 1; tries > 0; tries--) {
            const measurement = await this.#runOnce(scenario);
            this.#options.onRun?.(scenario, measurement);
            this.#failedInARow = 0;
            runs.push(measurement);
            this.#print(`  ${printRun(measurement)}`);
            if (scenario.name === BASELINE) this.#noiseMs = Math.max(this.#noiseMs, measurement.gapMs);
            if (!isLateOnly(measurement) || tries === 1) break;
            runs[runs.length - 1] = { ...measurement, repeated: true };
            this.#print("  once more: that may be a delay of this machine");
          }
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          errors.push(message);
          this.#options.onRun?.(scenario, new Error(message));
          this.#print(`  ✗ ${message}`);
          await this.#startOver();
          if (++this.#failedInARow >= MAX_FAILED_IN_A_ROW) {
            results.push({
              scenario: scenario.name,
              title: scenario.title,
              variant: scenario.variant.name,
              runs,
              errors,
            });
            this.#print("the pair does not come up: the rehearsal ends here");
            return results;
          }
        }
      }
      results.push({ scenario: scenario.name, title: scenario.title, variant: scenario.variant.name, runs, errors });
    }
    return results;
  }

  /** Takes everything down. The logs stay when `keepLogs` says so. */
  async close(keepLogs: boolean): Promise<void> {
    this.#capture?.close();
    await this.#pair?.close();
    closeSync(this.#logFd);
    this.#logFd = -1;
    if (!keepLogs) rmSync(this.directory, { recursive: true, force: true });
  }

  /** Brings the pair up as written and leaves it so: for `--keep` without a scenario. */
  async bringUp(): Promise<void> {
    const stage = await this.#prepare(asWritten, false);
    await stage.makeWell();
  }

  async #runOnce(scenario: Scenario): Promise<Measurement> {
    if (scenario.startsCold === true) await this.#startOver();
    const stage = await this.#prepare(scenario.variant, scenario.startsCold === true);
    return scenario.run(stage);
  }

  /** The stage with the configuration of this variant: what is there, restaged, or built anew. */
  async #prepare(variant: Variant, cold: boolean): Promise<Stage> {
    if (this.#pair !== undefined && this.#stage !== undefined && this.#variant === variant) return this.#stage;
    const staged = this.#staged(variant, undefined);
    let plan = this.#options.plan(staged);
    const files = variant === asWritten ? staged : this.#staged(variant, plan);
    plan = this.#options.plan(files);
    if (this.#pair === undefined) await this.#build(plan, files);
    else {
      this.#print(`  configuration: ${variant.name}`);
      await this.#stage?.stopAll();
      await this.#pair.restage(plan, files);
    }
    const stage = new Stage(this.#pair as Pair, this.#capture as SwitchCapture, this.#noiseMs, (text) =>
      this.#print(`  ${text}`),
    );
    this.#stage = stage;
    this.#variant = variant;
    if (cold) return stage;
    await stage.restart();
    await stage.pair.beginProbing();
    return stage;
  }

  async #build(plan: PairPlan, files: Staged): Promise<void> {
    const { a, b } = plan.nodes;
    const describe = (node: NodeName): string =>
      `${node} (${this.#options.flavours[node].title}, ${plan.nodes[node].station.addresses.join(", ")} on ${plan.nodes[node].station.interface})`;
    this.#print(
      `network: a switch, ${describe(a.name)}, ${describe(b.name)}, a client (${plan.client.addresses.join(", ")}), virtual address ${plan.virtualIp}:${plan.port}`,
    );
    this.#pair = await Pair.build(
      `lab${++this.#networks}`,
      { plan, flavours: this.#options.flavours, log: (node, line) => this.#log(node, line) },
      files,
    );
    this.#capture = new SwitchCapture(this.#pair.topology.switchIndex, path.join(this.directory, "switch.pcap"));
  }

  #staged(variant: Variant, plan: PairPlan | undefined): Staged {
    const addresses = plan && { a: printIp(plan.nodes.a.address), b: printIp(plan.nodes.b.address) };
    const stage = (node: NodeName): readonly StagedFile[] =>
      stageFiles(this.#options.files[node], this.#options.sharedFiles, {
        [KEEPALIVED_CONF]: variant.edit(node, plan?.preferred ?? "a", addresses),
        ...(variant.editNginx === undefined ? {} : { [NGINX_CONF]: variant.editNginx }),
      });
    return { a: stage("a"), b: stage("b") };
  }

  /** After an error nothing is known about the nodes: the next scenario gets a new network. */
  async #startOver(): Promise<void> {
    this.#capture?.close();
    this.#capture = undefined;
    const pair = this.#pair;
    this.#pair = undefined;
    this.#stage = undefined;
    this.#variant = undefined;
    await pair?.close();
  }

  #print(line: string): void {
    const seconds = ((nowMs() - this.#startedMs) / 1000).toFixed(1);
    this.#options.print(`${seconds.padStart(6)} s  ${line}`);
    this.#log("lab", line);
  }

  #log(who: NodeName | "lab" | "client", line: string): void {
    const seconds = ((nowMs() - this.#startedMs) / 1000).toFixed(3);
    if (this.#logFd >= 0) writeSync(this.#logFd, `${seconds.padStart(8)} ${who.padEnd(3)} ${line}\n`);
  }
}

/** True when all that is broken is what a busy machine can spoil. */
function isLateOnly({ expectations, open }: Measurement): boolean {
  const broken = expectations.filter(({ holds }) => !holds);
  return broken.length > 0 && broken.every(({ isDelay }) => isDelay === true) && !open;
}

/** True when every expectation of every scenario holds. */
export function allHold(results: readonly Result[]): boolean {
  return results.every((result) => verdictOf(result) === "ok");
}
