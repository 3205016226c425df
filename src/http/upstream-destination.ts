/** Addresses that a configuration names: whether they lead anywhere. nginx: ngx_http_upstream_add, ngx_http_upstream_init_main_conf. */
import type { HostLookup } from "../base/ip.ts";
import type { Position } from "../conf/diagnostics.ts";
import type { Scope } from "../conf/scope.ts";
import type { Report } from "../conf/slot.ts";
import { endpointsOf, type UpstreamAddress } from "../net/upstream-address.ts";
import { upstream } from "./modules/upstream.ts";

/** A fixed address must be an upstream of this configuration, or known when it is read. `needsPort`: there is no usual one. */
export function checkAddress(
  scope: Scope,
  address: UpstreamAddress,
  lookUp: HostLookup | undefined,
  {
    report,
    position,
    needsPort,
  }: { readonly report: Report; readonly position: Position | undefined; readonly needsPort: boolean },
): void {
  let http: Scope | undefined = scope;
  while (http !== undefined && http.context !== "http") http = http.parent;
  const isNamed = http
    ?.conf(upstream)
    .upstream.some(({ header }) => header.toLowerCase() === address.host.toLowerCase());
  if (isNamed === true) {
    if (!address.noPort) report("emerg", `upstream "${address.host}" may not have port ${address.port}`, position);
  } else if (needsPort && address.noPort && !address.host.startsWith("unix:"))
    report("emerg", `no port in upstream "${address.host}"`, position);
  else if (endpointsOf(address, lookUp) === undefined)
    report("emerg", `host not found in upstream "${address.host}"`, position);
}
