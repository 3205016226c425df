import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { makeTemporaryFolder } from "./temporary-folders.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "folders-"));
after(() => rmSync(folder, { recursive: true }));

test("a folder is made for its owner only, and one that is there is good", () => {
  const one = path.join(folder, "one");
  assert.equal(makeTemporaryFolder(one, undefined), undefined);
  assert.equal(statSync(one).mode & 0o777, 0o700);
  assert.equal(makeTemporaryFolder(one, undefined), undefined);
});

test("what can't be made is told in nginx's words", () => {
  writeFileSync(path.join(folder, "file"), "");
  const inside = path.join(folder, "file/x");
  assert.equal(makeTemporaryFolder(inside, undefined), `mkdir() "${inside}" failed (20: Not a directory)`);
});
