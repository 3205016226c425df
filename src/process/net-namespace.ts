/**
 * `net_namespace` and `net_namespace_ipvs`: the program goes into a network namespace before it does anything else, and may set up its
 * virtual servers in another one. Threads of node that are there already stay behind, so the process begins anew inside.
 */
import { openSync } from "node:fs";
import type { Diagnostic } from "../conf/diagnostics.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import type { ServiceDestination, ServiceSettings, ServiceTimeouts, VirtualServices } from "../io/virtual-services.ts";
import { enterNamespace, holdNamespace, inNamespace, namespacePath, restartProgram } from "../os/network-namespace.ts";

/** Tells the program which namespace it is in, and where it came from: `NAME PID FD`. */
const VARIABLE = "TANDEM_NET_NAMESPACE";

function entered(): { readonly name: string; readonly origin: string } | undefined {
  const [, name, pid, fd] = /^(\S+) (\d+) (\d+)$/.exec(process.env[VARIABLE] ?? "") ?? [];
  if (name === undefined) return undefined;
  return { name, origin: `/proc/${pid === String(process.pid) ? "self" : pid}/fd/${fd}` };
}

/** Where this program is, if it has been put anywhere. */
export function currentNamespace(): string | undefined {
  return entered()?.name;
}

/** Goes into the namespace, as the same process; returns only when it is there already (undefined), or can't go there (why). */
export function goInto(name: string): string | undefined {
  if (entered()?.name === name) return undefined;
  const origin = holdNamespace();
  const failure = enterNamespace(namespacePath(name));
  if (failure !== undefined) return failure;
  return restartProgram({ [VARIABLE]: `${name} ${process.pid} ${origin}` });
}

/** Where virtual servers are set up; undefined: where the program is. A path that is good for as long as this process lives. */
export function servicesNamespace({ globals }: Pick<KeepalivedConfig, "globals">): string | undefined {
  const { netNamespaceIpvs } = globals;
  if (netNamespaceIpvs === undefined) return undefined;
  return netNamespaceIpvs.name === undefined ? entered()?.origin : namespacePath(netNamespaceIpvs.name);
}

/** A path of this process' own for a namespace that others may take away. */
export function holdPath(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `/proc/self/fd/${openSync(path, "r")}`;
}

/** The web server's half is started beside: it can't be in another namespace than this one. */
export function namespaceFaults({ globals: { netNamespace } }: KeepalivedConfig): readonly Diagnostic[] {
  if (netNamespace === undefined) return [];
  const message = `net_namespace: start the whole program inside instead, ip netns exec ${netNamespace} tandem up …`;
  return [{ severity: "error", message }];
}

/** Virtual services in another namespace. */
export class NamespacedServices implements VirtualServices {
  readonly #path: string;
  readonly #services: VirtualServices;

  constructor(path: string, open: () => VirtualServices) {
    this.#path = path;
    this.#services = inNamespace(path, open);
  }

  get method(): VirtualServices["method"] {
    return this.#services.method;
  }

  set(settings: ServiceSettings, destinations: readonly ServiceDestination[]): ReturnType<VirtualServices["set"]> {
    return inNamespace(this.#path, () => this.#services.set(settings, destinations));
  }

  remove(name: string): ReturnType<VirtualServices["remove"]> {
    return inNamespace(this.#path, () => this.#services.remove(name));
  }

  setTimeouts(timeouts: ServiceTimeouts): ReturnType<VirtualServices["setTimeouts"]> {
    return inNamespace(this.#path, () => this.#services.setTimeouts(timeouts));
  }

  flush(): ReturnType<VirtualServices["flush"]> {
    return inNamespace(this.#path, () => this.#services.flush());
  }

  close(): void {
    inNamespace(this.#path, () => this.#services.close());
  }
}
