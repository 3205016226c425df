import assert from "node:assert/strict";
import { test } from "node:test";
import { found, liveOf } from "../subject.cases.ts";

test("files as they were read, or that nobody runs, are fine", () => {
  assert.deepEqual(found("configuration-stale", {}), []);
  assert.deepEqual(found("configuration-stale", { live: liveOf({}) }), []);
});

test("files that have changed since are named, for each node", () => {
  const live = liveOf({ stale: ["/etc/nginx/nginx.conf"], peerStale: ["b:/etc/keepalived/keepalived.conf"] });
  const findings = found("configuration-stale", { live });
  assert.deepEqual(
    findings.map(({ title, severity, places }) => [title, severity, places.map(({ file }) => file)]),
    [
      ["a runs another configuration than its files say: /etc/nginx/nginx.conf", "warning", ["/etc/nginx/nginx.conf"]],
      [
        "b runs another configuration than its files say: b:/etc/keepalived/keepalived.conf",
        "warning",
        ["b:/etc/keepalived/keepalived.conf"],
      ],
    ],
  );
});
