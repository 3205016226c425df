import assert from "node:assert/strict";
import { test } from "node:test";
import type { Diagnostic } from "../../conf/diagnostics.ts";
import { found } from "../subject.cases.ts";

const at = (line: number) => ({ file: "/srv/nginx.conf", line, column: 1 });
const bound = (...diagnostics: Diagnostic[]) =>
  found("nginx-directives", { bindNginx: () => ({ main: undefined, diagnostics }) });

test("a file with which nothing is wrong is fine", () => assert.deepEqual(bound(), []));

test("an unknown directive is a note with all its places, because nginx may well know it", () => {
  const message = 'unknown directive "x"';
  const [finding, ...more] = bound(
    { severity: "emerg", message, position: at(3) },
    { severity: "emerg", message, position: at(5) },
  );
  assert.deepEqual(more, []);
  assert.deepEqual([finding?.severity, finding?.places.map(({ line }) => line)], ["info", [3, 5]]);
});

test("what stops the server is an error, what doesn't a warning", () => {
  const severities = bound(
    { severity: "emerg", message: 'invalid value "x"', position: at(3) },
    { severity: "warn", message: "conflicting server name", position: at(4) },
  ).map(({ severity }) => severity);
  assert.deepEqual(severities, ["error", "warning"]);
});
