/** Everything that the nginx half of Tandem knows, for tests of configurations. */
import type { Catalog } from "../../src/conf/catalog.ts";
import { nginxCatalog } from "../../src/process/nginx-configuration.ts";
import { nginxKinds } from "../../src/process/nginx-kinds.ts";

export function testCatalog(): { readonly catalog: Catalog; isVariable(name: string): boolean } {
  return {
    catalog: nginxCatalog(nginxKinds),
    isVariable: (name) => nginxKinds.some((kind) => kind.isVariable?.(name) ?? false),
  };
}
