import assert from "node:assert/strict";
import { test } from "node:test";
import { found } from "../subject.cases.ts";

test("a file that keepalived understands is fine", () => assert.deepEqual(found("keepalived-extension", {}), []));

test("track_upstream is named as an extension, in both forms", () => {
  for (const text of ["track_upstream app weight -30", "track_upstream {\n app weight -30\n }"]) {
    const [finding] = found("keepalived-extension", {
      a: (before) => before.replace("track_script", `${text}\n\ttrack_script`),
    });
    assert.equal(finding?.severity, "info");
    assert.equal(finding?.places.length, 1);
  }
});

test("the keywords of the flight recorder and of the split-brain guard are named", () => {
  const findings = found("keepalived-extension", {
    a: (before) =>
      `global_defs {\n\tflight_recorder_files 5\n}\n${before.replace("track_script", "split_brain_policy safe\n\tsplit_brain_gateway 192.0.2.1\n\ttrack_script")}`,
  });
  assert.deepEqual(
    findings.map(({ title, places }) => [title, places.length]),
    [
      ["flight_recorder_files: an extension, keepalived does not know it", 1],
      ["split_brain_…: extensions, keepalived does not know them", 2],
    ],
  );
});

test("the keywords of the peer channel are named, each with its line", () => {
  const [finding, ...others] = found("keepalived-extension", {
    a: (before) => `global_defs {\n\tpeer_key sixteen-characters\n\thandover_limit 5\n}\n${before}`,
  });
  assert.deepEqual(others, []);
  assert.equal(finding?.title, "peer_key, handover_limit: extensions, keepalived does not know them");
  assert.deepEqual(
    finding?.places.map(({ line }) => line),
    [2, 3],
  );
});

test("flap_damping is named, where it stands for all instances and for one", () => {
  const [finding, ...others] = found("keepalived-extension", {
    a: (before) =>
      `global_defs {\n\tflap_damping\n}\n${before.replace("track_script", "flap_damping off\n\ttrack_script")}`,
  });
  assert.deepEqual(others, []);
  assert.equal(finding?.title, "flap_damping: an extension, keepalived does not know it");
  assert.equal(finding?.places.length, 2);
});
