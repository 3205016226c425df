import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_NGINX } from "../subject.cases.ts";

const track = (text: string): string => text.replace("track_script", "track_upstream app weight -30\n\ttrack_script");
const withUpstream = (inner: string): string =>
  GOOD_NGINX.replace("\tserver {", `\tupstream app { ${inner} server 192.0.2.1; }\n\tserver {`);

test("a tracked upstream with a zone is fine", () => {
  assert.deepEqual(found("upstream-unknown", { a: track, nginx: withUpstream("zone app 64k;") }), []);
});

test("an upstream that nginx.conf doesn't have is an error with its line", () => {
  const [finding] = found("upstream-unknown", { a: track });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.title ?? "", /"app"/);
  assert.equal(finding?.places[0]?.text?.trim(), "track_upstream app weight -30");
});

test("one without a zone is an error, with both lines", () => {
  const [finding] = found("upstream-unknown", { a: track, nginx: withUpstream("") });
  assert.match(finding?.title ?? "", /no zone/);
  assert.equal(finding?.places.length, 2);
});

test("without an nginx.conf nothing can be said", () => {
  assert.deepEqual(found("upstream-unknown", { a: track, nginx: "" }), []);
});
