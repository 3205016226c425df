import assert from "node:assert/strict";
import { test } from "node:test";
import { found, GOOD_NGINX } from "../subject.cases.ts";

const listening = (...listens: readonly string[]): string =>
  GOOD_NGINX.replace("listen 88;", listens.map((listen) => `listen ${listen};`).join("\n"));

test("the same file, and the same ports, are fine", () => {
  assert.deepEqual(found("listens-differ", {}), []);
  assert.deepEqual(found("listens-differ", { peerNginx: listening("0.0.0.0:88", "[::]:88") }), []);
});

test("addresses of the nodes themselves differ as they should, and what no client reaches is no matter", () => {
  const nginx = listening("88", "192.168.50.133:8080", "127.0.0.1:9000", "unix:/run/x.sock");
  const peerNginx = listening("88", "192.168.50.134:8080", "[::1]:9001");
  assert.deepEqual(found("listens-differ", { nginx, peerNginx }), []);
});

test("a port of one node only is a warning with its lines, from both sides", () => {
  const findings = found("listens-differ", { nginx: listening("88", "443"), peerNginx: listening("88", "8443") });
  assert.deepEqual(
    findings.map(({ title, places }) => [title, places.map(({ file, line }) => `${file}:${line}`)]),
    [
      ["Only nginx of a listens on port 443", ["/srv/nginx.conf:7"]],
      ["Only nginx of b listens on port 8443", ["/b/nginx.conf:7"]],
    ],
  );
  assert.ok(findings.every(({ severity }) => severity === "warning"));
});

test("a file that could not be read to its end may have the port", () =>
  assert.deepEqual(
    found("listens-differ", { nginx: listening("88", "443"), peerNginx: "http { include x.conf; }" }),
    [],
  ));
