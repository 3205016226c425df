/** An nginx.conf bound against Tandem's own directives. */
import { hostname } from "node:os";
import type { HostLookup } from "../base/ip.ts";
import { bind } from "../conf/bind.ts";
import type { Diagnostic } from "../conf/diagnostics.ts";
import type { Source } from "../conf/directive.ts";
import { folderOf } from "../conf/nginx/load.ts";
import type { Scope } from "../conf/scope.ts";
import { nginxCatalog } from "../process/nginx-configuration.ts";
import { nginxKinds } from "../process/nginx-kinds.ts";
import { variableRules } from "../process/service-kind.ts";
import { withoutLabel } from "./running-node.ts";

/** What binding has made, and what was wrong. */
export interface BoundNginx {
  /** Undefined when nobody has bound it. */
  readonly main: Scope | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Stands for any name where nobody is to be asked. */
export const anyHost: HostLookup = () => [Uint8Array.of(192, 0, 2, 1)];

const CATALOG = nginxCatalog(nginxKinds);

/** Directives that nginx does not have. */
export const OWN_DIRECTIVES: readonly string[] = [...CATALOG.declarations.values()]
  .flat()
  .filter(({ slot }) => slot.isOwn)
  .map(({ name }) => name);

/** Binds a loaded file. Relative paths begin at its folder; nothing of that is opened. */
export function bindNginx(source: Source, lookUp: HostLookup, host = hostname()): BoundNginx {
  const folder = withoutLabel(folderOf(source.file));
  const { main, diagnostics } = bind([source], CATALOG, {
    prefix: folder,
    confPrefix: folder,
    lookUp,
    hostName: host.toLowerCase(),
    ...variableRules(nginxKinds),
    lackOf: (need) => nginxKinds.map((kind) => kind.lackOf?.(need)).find((lack) => lack !== undefined),
  });
  return { main, diagnostics };
}
