/** Virtual servers beside VRRP: a supervisor with its process for as long as the configuration has any. */
import type { ServersStatus } from "../admin/status.ts";
import type { Diagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { everyDestination, serviceOf } from "../lvs/pool.ts";
import { openIpvs } from "../os/ipvs.ts";
import { nftRefusal } from "../os/nft-plan.ts";
import { patternFaults } from "./body-pattern.ts";
import { CheckerSupervisor, type CheckerSupervisorOptions } from "./checker-supervisor.ts";

/** What of a configuration can't be done here: by this kernel, or at all. */
export function serverFaults(config: KeepalivedConfig): readonly Diagnostic[] {
  if (config.virtualServers.length === 0) return [];
  // At a check the namespace need not be there yet: all of them have the same kernel.
  const ipvs = openIpvs(true);
  ipvs?.close();
  return [...patternFaults(config), ...(ipvs === undefined ? kernelFaults(config) : [])];
}

function kernelFaults({ virtualServers }: KeepalivedConfig): readonly Diagnostic[] {
  return virtualServers.flatMap((server): Diagnostic[] => {
    const refusal = nftRefusal(serviceOf(server), everyDestination(server));
    if (refusal === undefined) return [];
    const message = `Virtual server ${server.name}: ${refusal} needs IPVS, which this kernel does not have`;
    return [{ severity: "error", message, position: { ...server.at, column: 1 } }];
  });
}

export type CheckerHalfOptions = Omit<CheckerSupervisorOptions, "config" | "sessions">;

export class CheckerHalf {
  readonly #options: CheckerHalfOptions;
  readonly #sessions = new Map<string, boolean>();
  #supervisor: CheckerSupervisor | undefined;

  constructor(options: CheckerHalfOptions) {
    this.#options = options;
  }

  /** Rejects when the process does not come up. */
  async start(config: KeepalivedConfig): Promise<void> {
    if (config.virtualServers.length === 0) return;
    const supervisor = new CheckerSupervisor({ ...this.#options, config, sessions: this.#sessions });
    this.#supervisor = supervisor;
    await supervisor.start();
  }

  /** Takes a new configuration over, with which virtual servers may come up or go. */
  reload(config: KeepalivedConfig): void {
    const supervisor = this.#supervisor;
    if (supervisor !== undefined && config.virtualServers.length > 0) {
      supervisor.reload(config);
      return;
    }
    const failed = (error: Error): void => this.#options.log.write("error", error.message);
    if (supervisor === undefined) void this.start(config).catch(failed);
    else {
      this.#supervisor = undefined;
      void supervisor.stop().catch(failed);
    }
  }

  /** A BFD session has come up or gone down; the sessions live in the VRRP process. */
  session(name: string, isUp: boolean): void {
    this.#sessions.set(name, isUp);
    this.#supervisor?.session(name, isUp);
  }

  /** null: there are no virtual servers. */
  async status(): Promise<ServersStatus | null> {
    return (await this.#supervisor?.status()) ?? null;
  }

  /** The text of a dump; null: there are no virtual servers, undefined: their process does not answer. */
  async dump(): Promise<string | null | undefined> {
    return this.#supervisor === undefined ? null : this.#supervisor.dump();
  }

  async stop(): Promise<void> {
    await this.#supervisor?.stop();
  }
}
