import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

test("a check that succeeds while nginx runs is fine, and so is one that can't be understood", () => {
  assert.deepEqual(found("script-always-fails", {}), []);
  assert.deepEqual(found("script-always-fails", { script: "#!/bin/sh\nprobe\n" }), []);
});

test("a check that fails while nginx runs is an error that says what priority is left", () => {
  const [finding] = found("script-always-fails", { script: "#!/bin/sh\nexit 1\n" });
  assert.deepEqual(finding?.nodes, ["a", "b"]);
  assert.match(
    finding?.detail ?? "",
    /VI_1 on a runs at priority 80 instead of 100; VI_1 on b runs at priority 70 instead of 90/,
  );
});

test("without a weight the failing check means fault for ever", () => {
  const [finding] = found("script-always-fails", {
    script: "#!/bin/sh\nsleep 5\n",
    both: replace("weight -20", "weight 0"),
  });
  assert.match(finding?.why ?? "", /still running when its 2 s are over/);
  assert.match(finding?.detail ?? "", /FAULT/);
});
