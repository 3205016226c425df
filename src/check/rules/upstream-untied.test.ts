import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_NGINX } from "../subject.cases.ts";

const track = (text: string): string => text.replace("track_script", "track_upstream app weight -30\n\ttrack_script");
const proxying = (location: string): string =>
  GOOD_NGINX.replace("\tserver {", "\tupstream app { zone app 64k; server 192.0.2.1; }\n\tserver {").replace(
    "location / {",
    `location / { ${location}`,
  );

test("an upstream that nobody uses, and one that is tracked and checked, are fine", () => {
  assert.deepEqual(found("upstream-untied", { nginx: proxying("") }), []);
  const both = { both: track, nginx: proxying("proxy_pass http://app; health_check;") };
  assert.deepEqual(found("upstream-untied", both), []);
});

test("an upstream that nothing tracks is worth a hint", () => {
  const [finding] = found("upstream-untied", { nginx: proxying("proxy_pass http://APP/x;") });
  assert.equal(finding?.severity, "info");
  assert.match(finding?.fix ?? "", /track_upstream app/);
});

test("one that is tracked but not checked is a warning", () => {
  const [finding] = found("upstream-untied", { both: track, nginx: proxying("proxy_pass http://app;") });
  assert.equal(finding?.severity, "warning");
});
