import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const untracked = replace("track_script {\n\t\tchk\n\t}", "");

test("a tracked script or a tracked process is fine", () => {
  assert.deepEqual(found("nginx-unwatched", {}), []);
  const byProcess = (text: string): string =>
    `vrrp_track_process web {\nprocess nginx\n}\n${untracked(text).replace("advert_int 1", "track_process {\nweb\n}")}`;
  assert.deepEqual(found("nginx-unwatched", { both: byProcess }), []);
});

test("without an nginx.conf it is a warning: perhaps there is no service", () => {
  assert.equal(found("nginx-unwatched", { both: untracked, nginx: "" })[0]?.severity, "warning");
});

test("a pair, or a node alone, that tracks nothing is an error", () => {
  assert.equal(found("nginx-unwatched", { both: untracked })[0]?.severity, "error");
  assert.equal(found("nginx-unwatched", { both: untracked, isAlone: true })[0]?.severity, "error");
});
