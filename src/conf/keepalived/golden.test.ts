import assert from "node:assert/strict";
import { test } from "node:test";
import { machineOf, readerOf } from "./example.ts";
import { goldenCases, knownKeywords, normalise } from "./golden.cases.ts";
import type { Documented } from "./interpreter.ts";
import { loadKeepalived } from "./load.ts";
import { printKeepalivedDiagnostic } from "./report.ts";
import { keywordReference } from "./root.ts";

const machine = machineOf(["eth0", "eth1"], {
  "/bin/true": "ok",
  "/bin/false": "ok",
  "/bin/sh": "ok",
  true: "ok",
  "/etc/passwd": "not-executable",
  "/etc": "insecure",
});
const FILE = "keepalived.conf";

const cases = goldenCases();

test("the golden files hold cases", () => assert.ok(cases.length > 500));

for (const { name, text, exitStatus, messages } of cases) {
  test(`${name}: messages and exit status are those of keepalived -t`, () => {
    const loaded = loadKeepalived(FILE, {
      reader: readerOf({ [FILE]: text, "/etc/.pwd.lock": "" }),
      configId: "node",
      machine,
    });
    const said = loaded.diagnostics.filter(({ severity }) => severity !== "info").map(printKeepalivedDiagnostic);
    assert.deepEqual(normalise(said, FILE), messages);
    assert.equal(loaded.exitStatus, exitStatus);
  });
}

test("every keyword that keepalived knows is known, implemented or not", () => {
  const root = keywordReference();
  const blocks: Readonly<Record<string, readonly string[]>> = {
    global: ["global_defs"],
    inst: ["vrrp_instance"],
    script: ["vrrp_script"],
    group: ["vrrp_sync_group"],
    proc: ["vrrp_track_process"],
    bfd: ["bfd_instance"],
  };
  const tableOf = (table: Readonly<Record<string, Documented>>, path: readonly string[]) =>
    path.reduce<Readonly<Record<string, Documented>> | undefined>((found, name) => found?.[name]?.keywords, table);
  for (const [block, keyword] of knownKeywords()) {
    const table = tableOf(root, block === "top" ? [] : (blocks[block] ?? block.split("/")));
    assert.ok(table !== undefined && Object.hasOwn(table, keyword), `${keyword} in ${block}`);
  }
});
