/** The servers of a service (RFC 2782): each target's addresses are found, then all are put in order. nginx: ngx_resolver_report_srv. */
import type { IpAddress } from "../base/ip.ts";
import { NAME_ERROR } from "../wire/dns/message.ts";

/** A SRV record. */
export interface ResolvedService {
  readonly priority: number;
  /** At least 1. */
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** One address of a service. Those of the smallest priority are primary peers, all others backup. */
export interface ResolvedAddress {
  readonly address: IpAddress;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  /** The target that it is an address of. */
  readonly name: string;
}

/** A target whose addresses could not be found. */
export interface FailedTarget {
  readonly name: string;
  readonly code: number;
}

/** `addresses` undefined: there are none, for the reason `code`. */
export interface ServiceResult {
  readonly addresses: readonly ResolvedAddress[] | undefined;
  readonly code: number;
  readonly validUntilMs: number;
  readonly failed: readonly FailedTarget[];
}

type Found =
  | { readonly ok: true; readonly value: readonly IpAddress[]; readonly validUntilMs: number }
  | { readonly ok: false; readonly code: number };

/** One resolution of all targets. */
export class ServiceLookup {
  private readonly services: readonly ResolvedService[];
  private readonly random: () => number;
  private readonly done: (result: ServiceResult) => void;
  private readonly found: (readonly IpAddress[])[];
  private readonly failed: FailedTarget[] = [];
  private lookups: { cancel(): void }[] = [];
  private left: number;
  private validUntilMs: number;
  private cancelled = false;

  /** `services` in the order of priority, at least one. */
  constructor(
    services: readonly ResolvedService[],
    validUntilMs: number,
    random: () => number,
    done: (result: ServiceResult) => void,
  ) {
    this.services = services;
    this.validUntilMs = validUntilMs;
    this.random = random;
    this.done = done;
    this.left = services.length;
    this.found = services.map(() => []);
  }

  /** Looks all targets up; `resolve` may answer at once. */
  start(resolve: (target: string, found: (result: Found) => void) => { cancel(): void }): void {
    this.services.forEach(({ target }, index) => {
      if (this.cancelled) return;
      this.lookups.push(resolve(target, (result) => this.onFound(index, result)));
    });
  }

  cancel(): void {
    this.cancelled = true;
    for (const lookup of this.lookups) lookup.cancel();
    this.lookups = [];
  }

  private onFound(index: number, result: Found): void {
    if (result.ok) {
      this.found[index] = result.value;
      this.validUntilMs = Math.min(this.validUntilMs, result.validUntilMs);
    } else this.failed.push({ name: (this.services[index] as ResolvedService).target, code: result.code });
    if (--this.left > 0 || this.cancelled) return;
    const { failed, validUntilMs } = this;
    const addresses = this.inOrder();
    if (addresses.length > 0) {
      this.done({ addresses, code: 0, validUntilMs, failed });
      return;
    }
    const code = failed.some((one) => one.code === NAME_ERROR) ? NAME_ERROR : (failed[0]?.code ?? NAME_ERROR);
    this.done({ addresses: undefined, code, validUntilMs, failed });
  }

  /** By priority; within one, the servers in turn, beginning with one that is drawn by weight. */
  private inOrder(): ResolvedAddress[] {
    const addresses: ResolvedAddress[] = [];
    let end = 0;
    for (let start = 0; start < this.services.length; start = end) {
      const { priority } = this.services[start] as ResolvedService;
      while (this.services[end]?.priority === priority) end++;
      const total = this.units(start, end);
      if (total === 0) continue;
      let unit = Math.floor(this.random() * total);
      let first = start;
      while (unit >= this.units(first, first + 1)) {
        unit -= this.units(first, first + 1);
        first++;
      }
      for (let i = 0; i < end - start; i++) {
        const index = start + ((first - start + i) % (end - start));
        const { port, weight, target } = this.services[index] as ResolvedService;
        for (const address of this.found[index] as readonly IpAddress[]) {
          addresses.push({ address, port, priority, weight, name: target });
        }
      }
    }
    return addresses;
  }

  /** Weight of the services of a range, times their addresses. */
  private units(start: number, end: number): number {
    let units = 0;
    for (let i = start; i < end; i++) {
      units += (this.found[i] as readonly IpAddress[]).length * (this.services[i] as ResolvedService).weight;
    }
    return units;
  }
}
