import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, found, GOOD_NGINX } from "../subject.cases.ts";

const script = "#!/bin/sh\npidof nginx || /usr/local/nginx/sbin/nginx\n";

test("a script that starts no nginx by its path is fine, and so is the one of the prefix", () => {
  assert.deepEqual(found("script-nginx-path", {}), []);
  assert.deepEqual(
    found("script-nginx-path", { script, nginx: GOOD_NGINX, nginxPath: "/usr/local/nginx/conf/nginx.conf" }),
    [],
  );
});

test("the nginx of another prefix than nginx.conf's is an error", () => {
  const [finding] = found("script-nginx-path", { script, nginxPath: "/usr/local/nginx-1.19.1/conf/nginx.conf" });
  assert.equal(finding?.severity, "error");
  assert.equal(finding?.fix, 'start /usr/local/nginx-1.19.1/sbin/nginx, or "systemctl start nginx"');
});

test("an nginx that is not on this machine is said with the one that is", () => {
  const [finding] = found("script-nginx-path", { script, facts: factsOf({}) });
  assert.equal(finding?.severity, "error");
  assert.match(finding?.why ?? "", /Installed here is \/usr\/sbin\/nginx/);
});

test("without any hint it is only a question", () => {
  assert.equal(found("script-nginx-path", { script })[0]?.severity, "info");
});
