/** The rehearsal's network: a switch (a bridge in the lab's own namespace), stations with a cable each, and a second switch for partitions. */

import type { Bytes } from "../base/bytes.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { openLinkBuilder } from "../os/link-builder.ts";
import { openRouting } from "../os/routing.ts";
import { AgentHandle } from "./agent-handle.ts";

/** A station as it is asked for. */
export interface StationPlan {
  readonly name: string;
  /** The name of its interface, `eth0`. */
  readonly interface: string;
  /** With prefix length, `192.168.50.133/24`. */
  readonly addresses: readonly string[];
}

export interface Station {
  readonly name: string;
  readonly plan: StationPlan;
  readonly agent: AgentHandle;
  /** Of its interface. */
  readonly mac: Bytes;
  /** Index of the switch's port. */
  readonly port: number;
}

function ok(failure: RoutingFailure | undefined): void {
  if (failure !== undefined) throw new Error(`the lab's network: ${failure.message}`);
}

export class Topology {
  readonly stations = new Map<string, Station>();
  readonly #routing = openRouting();
  readonly #builder = openLinkBuilder();
  readonly #switchName: string;
  readonly #agents: AgentHandle[] = [];
  #switchIndex = 0;
  #farIndex = 0;
  /** Index of the main switch's end of the cable between the two. */
  #trunk = 0;

  private constructor(switchName: string) {
    this.#switchName = switchName;
  }

  /** Builds the switch and all stations; on failure nothing is left behind. */
  static async build(switchName: string, plans: readonly StationPlan[]): Promise<Topology> {
    const topology = new Topology(switchName);
    try {
      await topology.#build(plans);
      return topology;
    } catch (error) {
      await topology.close();
      throw error;
    }
  }

  /** Index of the bridge, on which everything that passes the switch can be heard. */
  get switchIndex(): number {
    return this.#switchIndex;
  }

  station(name: string): Station {
    const station = this.stations.get(name);
    if (station === undefined) throw new Error(`no station ${name}`);
    return station;
  }

  /** Silent partition: the switch forwards nothing any more, while both ends of the cable keep their carrier. */
  unplug(name: string): void {
    ok(this.#builder.setMaster(this.station(name).port, undefined));
  }

  replug(name: string): void {
    ok(this.#builder.setMaster(this.station(name).port, this.#switchIndex));
  }

  /** These stations are on a switch of their own from now on, with nothing between the two. All keep their carrier. */
  part(names: readonly string[]): void {
    ok(this.#routing.setLinkUp(this.#trunk, false));
    for (const name of names) ok(this.#builder.setMaster(this.station(name).port, this.#farIndex));
  }

  /**
   * There is a cable between the two switches. The stations stay where they are, until `replug` moves them: a port that changes its bridge
   * belongs to none for as long as the kernel waits for readers of the old one, which on a busy machine is longer than what is measured.
   */
  join(): void {
    ok(this.#routing.setLinkUp(this.#trunk, true));
  }

  /** Ends every station and removes the switch. */
  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.close()));
    // The kernel takes a dead namespace apart in its own time: what is in this one is removed at once, pairs from this end.
    for (const link of this.#routing.links())
      if (link.name === this.#switchName || link.name.startsWith(`${this.#switchName}-`))
        this.#builder.removeLink(link.index);
    this.#builder.close();
    this.#routing.close();
  }

  async #build(plans: readonly StationPlan[]): Promise<void> {
    this.#switchIndex = this.#createSwitch(this.#switchName);
    this.#farIndex = this.#createSwitch(`${this.#switchName}-far`);
    this.#trunk = this.#createTrunk(`${this.#switchName}-trunk`);
    await Promise.all(
      plans.map(async (plan, i) => {
        const agent = await AgentHandle.start(plan.name);
        this.#agents.push(agent);
        this.#connect(plan, agent, i + 1);
      }),
    );
    await Promise.all([...this.stations.values()].map((station) => this.#configure(station)));
  }

  #createSwitch(name: string): number {
    ok(this.#builder.createBridge(name));
    const index = this.#index(name);
    ok(this.#routing.setLinkUp(index, true));
    return index;
  }

  /** It is down at its near end until it is needed. */
  #createTrunk(near: string): number {
    const far = `${near}.`;
    ok(this.#builder.createVethPair(near, far));
    ok(this.#builder.setMaster(this.#index(near), this.#switchIndex));
    ok(this.#builder.setMaster(this.#index(far), this.#farIndex));
    ok(this.#routing.setLinkUp(this.#index(far), true));
    return this.#index(near);
  }

  /** A cable between a station and the switch. */
  #connect(plan: StationPlan, agent: AgentHandle, number: number): void {
    const port = `${this.#switchName}-${plan.name}`;
    const far = `${port}.`;
    ok(this.#builder.createVethPair(port, far));
    const station: Station = { name: plan.name, plan, agent, mac: stationMac(number), port: this.#index(port) };
    this.stations.set(plan.name, station);
    ok(this.#builder.setMac(this.#index(far), station.mac));
    ok(this.#builder.moveToNamespaceOf(this.#index(far), agent.namespacePid, plan.interface));
    ok(this.#builder.setMaster(station.port, this.#switchIndex));
    ok(this.#routing.setLinkUp(station.port, true));
  }

  async #configure({ agent, plan }: Station): Promise<void> {
    await agent.call("configureLink", { name: "lo", addresses: [] });
    await agent.call("configureLink", { name: plan.interface, addresses: plan.addresses });
  }

  #index(name: string): number {
    const link = this.#routing.link(name);
    if (link === undefined) throw new Error(`the lab's network: no link ${name}`);
    return link.index;
  }
}

/** A locally administered address that says which station a frame in a capture is from. */
function stationMac(number: number): Bytes {
  return Uint8Array.of(0x02, 0x54, 0x41, 0x4e, 0x44, number);
}
