/** Everything that the nginx half of Tandem knows, for tests of configurations. */
import { bind } from "../../src/conf/bind.ts";
import type { Catalog } from "../../src/conf/catalog.ts";
import { Diagnostics, printDiagnostic } from "../../src/conf/diagnostics.ts";
import { parse } from "../../src/conf/nginx/parser.ts";
import type { Environment } from "../../src/conf/slot.ts";
import { planHttp } from "../../src/http/plan.ts";
import { nginxCatalog } from "../../src/process/nginx-configuration.ts";
import { nginxKinds } from "../../src/process/nginx-kinds.ts";
import { variableRules } from "../../src/process/service-kind.ts";

/** The catalog, and what is known of variables. */
export function testCatalog(): {
  readonly catalog: Catalog;
  readonly variables: Required<Pick<Environment, "isVariable" | "isConstant">>;
} {
  return {
    catalog: nginxCatalog(nginxKinds),
    variables: variableRules(nginxKinds),
  };
}

/** What is said of an http block whose lines are these, from line 4 of /nginx.conf on. */
export function diagnosticsOf(http: string): readonly string[] {
  const { catalog, variables } = testCatalog();
  const source = parse(`events { }\n\nhttp {\n${http}\n}\n`, { file: "/nginx.conf" });
  const { main, diagnostics } = bind([source], catalog, { prefix: "/", confPrefix: "/", ...variables });
  const found = new Diagnostics();
  for (const diagnostic of diagnostics) found.add(diagnostic);
  planHttp(main, true, (severity, message, position) => found.report(severity, message, position));
  return found.list.map(printDiagnostic);
}
