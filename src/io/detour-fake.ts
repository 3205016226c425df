/** Detours without a kernel, for tests and simulation: what was asked for last, and as many connections as a test says. */
import { equalBytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import { type DetourState, type Detours, NO_DETOURS } from "./detour.ts";
import type { RoutingFailure } from "./routing.ts";

export class FakeDetours implements Detours {
  state: DetourState = NO_DETOURS;
  /** Whatever the address. */
  open = 0;
  failure: RoutingFailure | undefined;

  supports(): { readonly ipv4: boolean; readonly ipv6: boolean } {
    return { ipv4: this.failure === undefined, ipv6: this.failure === undefined };
  }

  set(state: DetourState): RoutingFailure | undefined {
    const isMore = state.detours.length > 0 || state.silences.length > 0;
    if (this.failure !== undefined && isMore) return this.failure;
    this.state = state;
    return undefined;
  }

  clear(): RoutingFailure | undefined {
    return this.set(NO_DETOURS);
  }

  connections(addresses: readonly IpAddress[], atMost: number): number {
    return addresses.length === 0 ? 0 : Math.min(this.open, atMost);
  }

  forgetEnded(): RoutingFailure | undefined {
    return undefined;
  }

  listeners(): readonly IpAddress[] {
    return [];
  }

  /** Where packets for this address would be sent on to. */
  detourOf(address: IpAddress): IpAddress | undefined {
    return this.state.detours.find((detour) => equalBytes(detour.address, address))?.to;
  }
}
