/** docs/faults.md says what test/netns/faults.test.ts plays. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { FAULT_TABLE, printFaultTable } from "./support/fault-table.ts";
import { CHECKOUT } from "./support/lab.ts";

test("the table of docs/faults.md is the one that is played", () => {
  const document = readFileSync(path.join(CHECKOUT, "docs/faults.md"), "utf8");
  const table = document.split("\n\n").find((paragraph) => paragraph.startsWith("| process | fault |"));
  assert.equal(table, printFaultTable(FAULT_TABLE));
});
