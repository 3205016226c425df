/** Sample configurations that are no part of this repository, such as keepalived's own doc/samples, get keepalived's verdict. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "../support/lab.ts";
import { missingForLab } from "../support/segment-lab.ts";

const folder = process.env["TANDEM_KEEPALIVED_SAMPLES"];
const skip =
  folder === undefined
    ? "TANDEM_KEEPALIVED_SAMPLES names no folder of samples"
    : (missingForLab(["keepalived"]) ?? false);

test("every sample that uses nothing that Tandem refuses by name gets keepalived's verdict", { skip }, () => {
  const script = path.join(CHECKOUT, "scripts", "keepalived-samples.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder as string], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^same {3}/m);
});
