/** The resolvers of a worker: one for each `resolver` of the configuration, made when it is first needed. */
import { Resolver, type ResolverPorts, type ResolverSettings } from "./resolver.ts";

export class Resolvers {
  private readonly ports: ResolverPorts;
  private readonly made = new Map<ResolverSettings, Resolver>();

  constructor(ports: ResolverPorts) {
    this.ports = ports;
  }

  /** The resolver that these settings have; all who ask with the same settings share what it knows. */
  of(settings: ResolverSettings): Resolver {
    let resolver = this.made.get(settings);
    if (resolver === undefined) {
      resolver = new Resolver(settings, this.ports);
      this.made.set(settings, resolver);
    }
    return resolver;
  }
}
