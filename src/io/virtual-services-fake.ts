/** Virtual services in memory, for tests and the simulation: what a kernel would have. */
import type { ServiceDestination, ServiceFailure, ServiceSettings, VirtualServices } from "./virtual-services.ts";

/** One service as it is now. */
export interface FakeService {
  readonly settings: ServiceSettings;
  readonly destinations: readonly ServiceDestination[];
}

export class FakeVirtualServices implements VirtualServices {
  readonly method = "IPVS";
  readonly services = new Map<string, FakeService>();
  /** What the next change is refused with. */
  failure: ServiceFailure | undefined;

  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): ServiceFailure | undefined {
    if (this.failure === undefined) this.services.set(settings.name, { settings, destinations });
    return this.failure;
  }

  remove(name: string): ServiceFailure | undefined {
    if (this.failure === undefined) this.services.delete(name);
    return this.failure;
  }

  setTimeouts(): ServiceFailure | undefined {
    return this.failure;
  }

  flush(): ServiceFailure | undefined {
    if (this.failure === undefined) this.services.clear();
    return this.failure;
  }

  close(): void {
    this.services.clear();
  }
}
