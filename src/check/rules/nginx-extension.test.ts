import assert from "node:assert/strict";
import { test } from "node:test";
import { lintFile, textsOf } from "../nginx/site.cases.ts";

const check = (lines: string) => lintFile("nginx-extension", `${lines}\nevents {\n}\nhttp {\n}\n`);

test("a file that nginx understands is fine, whatever modules it needs", () => {
  assert.deepEqual(check("worker_processes auto;\nworker_shutdown_timeout 5s;"), []);
  assert.deepEqual(
    lintFile("nginx-extension", "events {\n}\nhttp {\nbrotli on;\nzstd on;\nmatch m { status 200; }\n}\n"),
    [],
  );
});

test("worker_hang_timeout is named, once for all its places", () => {
  const [finding, ...others] = check("worker_hang_timeout 2s;\nworker_hang_timeout 3s;");
  assert.deepEqual(others, []);
  assert.equal(finding?.severity, "info");
  assert.equal(finding?.title, "worker_hang_timeout: an extension, nginx does not know it");
  assert.deepEqual(finding === undefined ? [] : textsOf([finding]), [
    "worker_hang_timeout 2s;",
    "worker_hang_timeout 3s;",
  ]);
});
