/** Everything that the nginx half of Tandem knows, for tests of configurations. */
import type { Catalog } from "../../src/conf/catalog.ts";
import type { Environment } from "../../src/conf/slot.ts";
import { nginxCatalog } from "../../src/process/nginx-configuration.ts";
import { nginxKinds } from "../../src/process/nginx-kinds.ts";

/** The catalog, and what is known of variables. */
export function testCatalog(): {
  readonly catalog: Catalog;
  readonly variables: Required<Pick<Environment, "isVariable" | "isConstant">>;
} {
  return {
    catalog: nginxCatalog(nginxKinds),
    variables: {
      isVariable: (name) => nginxKinds.some((kind) => kind.isVariable?.(name) ?? false),
      isConstant: (name) => nginxKinds.some((kind) => kind.isConstant?.(name) ?? false),
    },
  };
}
