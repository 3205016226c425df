import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_LINE, Diagnostics, isFatal, MAX_DIAGNOSTICS, printDiagnostic } from "./diagnostics.ts";

test("findings are printed as nginx prints them", () => {
  const message = 'unknown directive "x"';
  const position = { file: "/n.conf", line: 12, column: 3 };
  assert.equal(
    printDiagnostic({ severity: "emerg", message, position }),
    '[emerg] unknown directive "x" in /n.conf:12',
  );
  assert.equal(printDiagnostic({ severity: "warn", message }), '[warn] unknown directive "x"');
  const given = { file: COMMAND_LINE, line: 0, column: 1 };
  assert.equal(printDiagnostic({ severity: "emerg", message, position: given }), `[emerg] ${message} in command line`);
});

test("a configuration is unusable from error on", () => {
  assert.deepEqual(
    (["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"] as const).map((severity) =>
      isFatal({ severity, message: "" }),
    ),
    [true, true, true, true, false, false, false, false],
  );
});

test("findings behind the bound are counted and not kept", () => {
  const found = new Diagnostics();
  for (let i = 0; i < MAX_DIAGNOSTICS + 5; i++) found.report("emerg", String(i));
  found.report("warn", "last");
  assert.equal(found.list.length, MAX_DIAGNOSTICS);
  assert.equal(found.list[0]?.message, "0");
  assert.equal(found.fatalCount, MAX_DIAGNOSTICS + 5);
});
