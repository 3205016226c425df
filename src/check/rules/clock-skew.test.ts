import assert from "node:assert/strict";
import { test } from "node:test";
import { found, liveOf } from "../subject.cases.ts";

const at = (offsetMs: number, roundTripMs = 1) => ({ live: liveOf({ clock: { offsetMs, roundTripMs } }) });

test("clocks that are near each other, not compared yet, or of nodes that do not run are no matter", () => {
  for (const change of [{}, { live: liveOf({}) }, at(0), at(-500), at(499)])
    assert.deepEqual(found("clock-skew", change), []);
});

test("half a round trip is error, not skew", () => {
  assert.deepEqual(found("clock-skew", at(700, 400)), []);
  assert.equal(found("clock-skew", at(701, 400)).length, 1);
});

test("more than half a second is a warning, in either direction", () => {
  const [ahead] = found("clock-skew", at(2000.4, 0));
  assert.equal(ahead?.severity, "warning");
  assert.equal(ahead?.title, "The clock of b is 2000 ms ahead of that of a");
  assert.equal(found("clock-skew", at(-86_400_000, 0))[0]?.title, "The clock of b is 86400 s behind that of a");
});

test("more than the window of auth_hmac is an error: adverts are dropped", () => {
  const key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  const both = (text: string): string =>
    text.replace(
      "track_script {",
      `version 3\n\tauth_hmac {\n\t\tkey 1 hex:${key}\n\t\tactive_key 1\n\t\ttime_window 5\n\t}\n\ttrack_script {`,
    );
  const [near] = found("clock-skew", { both, ...at(4000) });
  assert.equal(near?.severity, "warning");
  const [far] = found("clock-skew", { both, ...at(6000) });
  assert.equal(far?.severity, "error");
  assert.equal(far?.places.length, 2);
});
