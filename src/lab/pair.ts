/** A running pair: starts and stops its nodes, does harm to them, and knows what the client and the kernels have seen. */
import type { AgentHandle } from "./agent-handle.ts";
import { CALM_MS, Client } from "./client.ts";
import type { Edit } from "./edit.ts";
import { KEEPALIVED_CONF } from "./files.ts";
import type { Flavour } from "./flavours.ts";
import type { ClientView, Holding } from "./observation.ts";
import { NODES, type NodeName, type PairPlan } from "./plan.ts";
import type { AgentEvent, Part, ProbeSettings, StagedFile } from "./protocol.ts";
import { nowMs, sleepMs } from "./time.ts";
import { activeDownMs } from "./timers.ts";
import { Topology } from "./topology.ts";

const CLIENT = "client";
/** The client asks a hundred times a second and gives up on an attempt after 200 ms. */
const PROBE_EVERY_MS = 10;
const PROBE_TIMEOUT_MS = 200;
const POLL_MS = 10;
/** Programs start, read their files and open their sockets within this time, or something is wrong with them. */
const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;

export interface PairOptions {
  readonly plan: PairPlan;
  readonly flavours: Readonly<Record<NodeName, Flavour>>;
  /** Hears the lines that the nodes' programs print, what fails for the clients, and everything that the lab does. */
  readonly log: (who: NodeName | "lab" | "client", line: string) => void;
}

export class Pair {
  readonly topology: Topology;
  readonly #options: PairOptions;
  #plan: PairPlan;
  readonly #client: Client;
  readonly #farClient: Client;
  readonly #holdings: Holding[] = [];
  readonly #running = new Map<string, boolean>();
  readonly #pages = new Map<string, NodeName>();
  /** keepalived.conf of each node as it was staged. */
  readonly #routerFiles = new Map<NodeName, StagedFile>();

  private constructor(topology: Topology, options: PairOptions) {
    this.topology = topology;
    this.#options = options;
    this.#plan = options.plan;
    for (const node of NODES) this.agent(node).onEvent((event) => this.#hear(node, event));
    for (const client of [CLIENT, options.plan.farClient.name])
      this.agent(client).onEvent((event) => {
        if (event.event === "failure") options.log("client", event.what);
      });
    this.#client = new Client(this.agent(CLIENT));
    this.#farClient = new Client(this.agent(options.plan.farClient.name));
  }

  /** Builds the network and lays out the nodes' files; nothing runs yet. */
  static async build(
    switchName: string,
    options: PairOptions,
    files: Readonly<Record<NodeName, readonly StagedFile[]>>,
  ): Promise<Pair> {
    const { plan } = options;
    const nodes = NODES.map((node) => plan.nodes[node].station);
    const topology = await Topology.build(switchName, [...nodes, plan.client, plan.farClient]);
    const pair = new Pair(topology, options);
    for (const node of NODES) {
      await pair.agent(node).call("stage", files[node]);
      pair.#remember(node, files[node]);
      await pair.agent(node).call("watchAddresses");
    }
    return pair;
  }

  get plan(): PairPlan {
    return this.#plan;
  }

  get holdings(): readonly Holding[] {
    return this.#holdings;
  }

  flavour(node: NodeName): Flavour {
    return this.#options.flavours[node];
  }

  agent(station: string): AgentHandle {
    return this.topology.station(station).agent;
  }

  other(node: NodeName): NodeName {
    return node === "a" ? "b" : "a";
  }

  /** Replaces the nodes' files and the plan that was made of them. The nodes are to be stopped. */
  async restage(plan: PairPlan, files: Readonly<Record<NodeName, readonly StagedFile[]>>): Promise<void> {
    this.#plan = plan;
    for (const node of NODES) {
      for (const file of files[node]) await this.agent(node).call("writeFile", file);
      this.#remember(node, files[node]);
    }
  }

  /** Changes keepalived.conf of a node, or puts back what was staged; nobody is told. */
  async editRouter(node: NodeName, edit: Edit | undefined): Promise<void> {
    const file = this.#routerFiles.get(node);
    if (file === undefined) throw new Error(`node ${node} has no ${KEEPALIVED_CONF}`);
    const text = Buffer.from(file.base64, "base64").toString("latin1");
    const base64 = edit === undefined ? file.base64 : Buffer.from(edit(text), "latin1").toString("base64");
    await this.agent(node).call("writeFile", { ...file, base64 });
  }

  /** Starts the programs of a node. They may not be ready yet. */
  async start(node: NodeName): Promise<void> {
    this.#say(`start ${node}`);
    for (const program of this.flavour(node).programs) {
      if (this.#running.get(`${node} ${program.name}`) === true) continue;
      this.#running.set(`${node} ${program.name}`, true);
      await this.agent(node).call("spawn", program);
    }
  }

  /** Asks a node's programs to stop; resolves when nothing of it runs any more. What has to be killed is an error. */
  async stop(node: NodeName): Promise<void> {
    this.#say(`stop ${node}`);
    const { programs, stopSignal } = this.flavour(node);
    for (const { name } of [...programs].reverse()) await this.agent(node).call("signal", { name, signal: stopSignal });
    await this.#untilEmpty(node);
  }

  /** kill -9 to every process of a part of a node. */
  async kill(node: NodeName, part: Part): Promise<void> {
    this.#say(`kill -9 ${part} of ${node}`);
    const count = await this.agent(node).call("signalPart", { part, signal: "SIGKILL" });
    if (count === 0) throw new Error(`node ${node} has no process to kill (${part})`);
  }

  async signalPart(node: NodeName, part: Part, signal: NodeJS.Signals): Promise<void> {
    this.#say(`${signal} to ${part} of ${node}`);
    await this.agent(node).call("signalPart", { part, signal });
  }

  /** Asks every program of a node to read its configuration again. */
  async reload(node: NodeName): Promise<void> {
    this.#say(`reload ${node}`);
    for (const { name } of this.flavour(node).programs)
      await this.agent(node).call("signal", { name, signal: "SIGHUP" });
  }

  /** Keeps a part of a node from running; undefined lets it. */
  async suppress(node: NodeName, part: Part | undefined): Promise<void> {
    this.#say(part === undefined ? `no more suppression on ${node}` : `suppress ${part} of ${node}`);
    await this.agent(node).call("suppress", part);
  }

  async setLinkUp(node: NodeName, up: boolean): Promise<void> {
    this.#say(`link of ${node} ${up ? "up" : "down"}`);
    await this.agent(node).call("setLinkUp", { name: this.plan.nodes[node].station.interface, up });
  }

  /** Its loopback: what the node itself listens on there can't be reached any more. */
  async setLoopbackUp(node: NodeName, up: boolean): Promise<void> {
    this.#say(`loopback of ${node} ${up ? "up" : "down"}`);
    await this.agent(node).call("setLinkUp", { name: "lo", up });
  }

  unplug(node: NodeName): void {
    this.#say(`unplug ${node}`);
    this.topology.unplug(node);
  }

  replug(node: NodeName): void {
    this.#say(`replug ${node}`);
    this.topology.replug(node);
  }

  /** Two sides, each with a client, which do not see each other any more: the far one has the node. */
  part(node: NodeName): void {
    this.#say(`${node} and a client are on the far side`);
    this.topology.part([node, this.plan.farClient.name]);
  }

  /** The two sides see each other again. */
  join(): void {
    this.#say("both sides see each other");
    this.topology.join();
  }

  /** Behind `join`: all are on one switch, as they were. */
  gather(node: NodeName): void {
    for (const name of [node, this.plan.farClient.name]) this.topology.replug(name);
  }

  /** Who holds the virtual address at this moment. */
  holders(): readonly NodeName[] {
    return NODES.filter((node) => this.#holdings.findLast((event) => event.node === node)?.held === true);
  }

  /** Who has answered last, within the last `withinMs`; undefined when nobody. */
  answering(withinMs: number): NodeName | undefined {
    const last = this.#client.lastAnswer(nowMs() - withinMs);
    return last === undefined ? undefined : (last.node ?? this.holders()[0]);
  }

  /** True when the client has been answered by this node alone for a while that has begun after `sinceMs`. */
  isCalm(node: NodeName, sinceMs = 0): boolean {
    return this.#client.isCalm(node, sinceMs);
  }

  /** The same of the client that `part` takes to the far side. */
  isFarCalm(node: NodeName, sinceMs = 0): boolean {
    return this.#farClient.isCalm(node, sinceMs);
  }

  /** Resolves with true as soon as the condition holds, with false when it doesn't within the time. */
  async until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = nowMs() + timeoutMs;
    while (!condition()) {
      if (nowMs() > deadline) return condition();
      await sleepMs(POLL_MS);
    }
    return true;
  }

  /** Longest time that VRRP needs to settle: a node starts, and waits for silence. */
  get settleTimeoutMs(): number {
    const slowest = Math.max(...NODES.map((node) => activeDownMs(this.plan.nodes[node].instance)));
    return START_TIMEOUT_MS + 2 * slowest;
  }

  /** Waits until the VRRP routers of both nodes listen. Throws when one does not. */
  async untilListening(): Promise<void> {
    const deadline = nowMs() + START_TIMEOUT_MS;
    for (const node of NODES)
      while (!(await this.agent(node).call("hearsVrrp"))) {
        if (nowMs() > deadline) throw new Error(`the VRRP router of node ${node} does not start`);
        await sleepMs(POLL_MS);
      }
  }

  /** Waits until a node, and only that one, holds the address and answers. Throws when that does not happen. */
  async untilActive(node: NodeName, timeoutMs = this.settleTimeoutMs): Promise<void> {
    const isActive = (): boolean => this.holders().join() === node && this.isCalm(node);
    if (await this.until(isActive, timeoutMs)) return;
    const holders = this.holders().join(" and ") || "nobody";
    const processes = await Promise.all(
      NODES.map(async (name) => `${name}: ${(await this.agent(name).call("processes")).join(" | ") || "nothing runs"}`),
    );
    throw new Error(
      `node ${node} is not active: ${holders} holds ${this.plan.virtualIp}, ${this.answering(CALM_MS) ?? "nobody"} answers; ${processes.join("; ")}`,
    );
  }

  /** Learns the pages by which the nodes are told apart, and begins to ask. Both nodes have to run. */
  async beginProbing(): Promise<void> {
    const client = this.agent(CLIENT);
    const pages = new Map<NodeName, string>();
    const deadline = nowMs() + START_TIMEOUT_MS;
    for (const node of NODES) {
      const own = this.plan.nodes[node].station.addresses.map((address) => address.split("/")[0] as string);
      const ip =
        own.find((address) => address.includes(":") === this.plan.virtualIp.includes(":")) ?? (own[0] as string);
      while (!pages.has(node) && nowMs() < deadline) {
        const page = await client.call("fetch", this.#probe(ip));
        if (page === undefined) await sleepMs(POLL_MS);
        else pages.set(node, page);
      }
      if (!pages.has(node))
        throw new Error(`the web server of node ${node} does not answer on ${ip}:${this.plan.port}`);
    }
    this.#pages.clear();
    if (pages.get("a") !== pages.get("b")) for (const [node, page] of pages) this.#pages.set(page, node);
    await this.#client.begin(this.#probe(this.plan.virtualIp), this.#pages);
  }

  async endProbing(): Promise<void> {
    await this.#client.end();
    await this.#farClient.end();
  }

  /** The far client asks too, or ceases to. `beginProbing` comes first. */
  async probeFar(isAsking: boolean): Promise<void> {
    if (isAsking) await this.#farClient.begin(this.#probe(this.plan.virtualIp), this.#pages);
    else await this.#farClient.end();
  }

  /** The client's view between two instants; the attempts of the last moments are waited for. */
  view(fromMs: number, toMs: number): Promise<ClientView> {
    return this.#client.view(fromMs, toMs, PROBE_TIMEOUT_MS);
  }

  farView(fromMs: number, toMs: number): Promise<ClientView> {
    return this.#farClient.view(fromMs, toMs, PROBE_TIMEOUT_MS);
  }

  /** Kills what still runs and takes the network down. */
  async close(): Promise<void> {
    this.#client.close();
    this.#farClient.close();
    await this.topology.close();
  }

  /** Kills everything of a node without complaint, and takes away what it leaves in the kernel: between scenarios. */
  async clear(node: NodeName): Promise<void> {
    await this.agent(node).call("suppress", undefined);
    await this.agent(node).call("signalPart", { part: "all", signal: "SIGKILL" });
    await this.#untilEmpty(node);
    await this.agent(node).call("restoreAddresses");
    await this.until(() => !this.holders().includes(node), STOP_TIMEOUT_MS);
  }

  #remember(node: NodeName, files: readonly StagedFile[]): void {
    const file = files.find(({ path }) => path.endsWith(`/keepalived/${KEEPALIVED_CONF}`));
    if (file !== undefined) this.#routerFiles.set(node, file);
  }

  async #untilEmpty(node: NodeName): Promise<void> {
    const deadline = nowMs() + STOP_TIMEOUT_MS;
    for (;;) {
      const left = await this.agent(node).call("processes");
      if (left.length === 0) return;
      if (nowMs() > deadline) {
        await this.agent(node).call("signalPart", { part: "all", signal: "SIGKILL" });
        throw new Error(`node ${node} did not stop within ${STOP_TIMEOUT_MS} ms: ${left.join(" | ")}`);
      }
      await sleepMs(POLL_MS);
    }
  }

  #probe(ip: string): ProbeSettings {
    return { ip, port: this.plan.port, everyMs: PROBE_EVERY_MS, timeoutMs: PROBE_TIMEOUT_MS };
  }

  #hear(node: NodeName, event: AgentEvent): void {
    switch (event.event) {
      case "address":
        if (event.ip !== this.plan.virtualIp) return;
        if (event.link === "lo") {
          // The old owner of a hand-over keeps it for its connections, where nobody on the network finds it.
          this.#say(`${node} ${event.held ? "keeps" : "lets go of"} ${event.ip}`);
          return;
        }
        this.#say(`${node} ${event.held ? "holds" : "releases"} ${event.ip}`);
        this.#holdings.push({ node, held: event.held, atMs: event.atMs });
        return;
      case "output":
        this.#options.log(node, `${event.name}: ${event.line}`);
        return;
      case "exit":
        this.#running.set(`${node} ${event.name}`, false);
        this.#options.log(node, `${event.name} has ended: ${event.status}`);
        return;
      case "failure":
      case "ready":
        return;
    }
  }

  #say(line: string): void {
    this.#options.log("lab", line);
  }
}
