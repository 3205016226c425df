import assert from "node:assert/strict";
import { test } from "node:test";
import { found, replace } from "../subject.cases.ts";

const SLOW = "#!/bin/sh\npidof nginx && exit 0\nsystemctl start nginx\nsleep 2\npidof nginx || killall keepalived\n";

test("a quick check is fine, and a slow one with time enough, too", () => {
  assert.deepEqual(found("script-timeout", {}), []);
  assert.deepEqual(found("script-timeout", { script: SLOW, both: replace("interval 2", "interval 2\ntimeout 5") }), []);
});

test("stopping keepalived behind a sleep as long as the timeout never happens", () => {
  const [finding] = found("script-timeout", { script: SLOW });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.why ?? "", /"sleep 2" in line 4 alone takes as long/);
  assert.match(finding?.why ?? "", /A restart of nginx that works counts as a failed check, too/);
  assert.deepEqual(
    finding?.places.map(({ file, line }) => `${file}:${line}`),
    ["/a/keepalived.conf:8", "/etc/keepalived/check.sh:4", "/etc/keepalived/check.sh:5", "/b/keepalived.conf:8"],
  );
});

test("a slow script that stops nothing is a warning", () => {
  const [finding] = found("script-timeout", { script: "#!/bin/sh\npidof nginx && exit 0\nsleep 3\nexit 1\n" });
  assert.equal(finding?.severity, "warning");
});
