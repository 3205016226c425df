import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { bind } from "../src/conf/bind.ts";
import { printDiagnostic } from "../src/conf/diagnostics.ts";
import { parse } from "../src/conf/nginx/parser.ts";
import type { Scope } from "../src/conf/scope.ts";
import type { Context } from "../src/conf/slot.ts";
import { testCatalog } from "./support/nginx-catalog.ts";
import { FRAMED, frame } from "./support/nginx-directives.ts";

const { catalog, variables } = testCatalog();
const environment = { prefix: "/p/", confPrefix: "/p/conf/", ...variables };

/** Defaults that are settled by whoever uses the value, and so are not the value of an unset directive. */
const SETTLED_LATER = new Set([
  "user",
  "error_log",
  "log_format",
  "server_name",
  "client_body_temp_path",
  "proxy_temp_path",
  "fastcgi_temp_path",
  "uwsgi_temp_path",
  "scgi_temp_path",
  "proxy_redirect",
  "proxy_cookie_domain",
  "proxy_cookie_path",
  "proxy_cookie_flags",
  "expires",
  "index",
]);

function find(scope: Scope, context: Context): Scope | undefined {
  if (scope.context === context) return scope;
  for (const child of scope.children) {
    const found = find(child, context);
    if (found !== undefined) return found;
  }
  return undefined;
}

test("the default that the reference tells is the one that holds", () => {
  const differences: string[] = [];
  for (const { name, module, slot, contexts } of [...catalog.declarations.values()].flat()) {
    const context = FRAMED.find((framed) => contexts.includes(framed));
    if (slot.defaultText === undefined || context === undefined || SETTLED_LATER.has(name)) continue;
    const valueAfter = (line: string): unknown => {
      const { main, diagnostics } = bind([parse(frame(context, line), { file: "f" })], catalog, environment);
      // nginx, too, warns of the type that always belongs to such a list, and of what Linux does not have.
      const told = diagnostics.filter(
        ({ message }) => !/^duplicate MIME type|is not supported, ignored$/.test(message),
      );
      for (const diagnostic of told) differences.push(`${line}: ${printDiagnostic(diagnostic)}`);
      return find(main, context)?.conf(module)[name];
    };
    const written = valueAfter(`${name} ${slot.defaultText || '""'};`);
    const unset = valueAfter("");
    if (!isDeepStrictEqual(written, unset))
      differences.push(`${name} ${slot.defaultText}: ${JSON.stringify(written)} is not ${JSON.stringify(unset)}`);
  }
  assert.ok(differences.length === 0, differences.join("\n"));
});
