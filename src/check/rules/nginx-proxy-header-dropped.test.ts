import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-proxy-header-dropped", ...lines);

test("the same fields again, another level without a proxy, and a subrequest are fine", () => {
  assert.deepEqual(
    check(
      "proxy_set_header Host $host;",
      "location / {",
      "proxy_pass http://127.0.0.1:1;",
      "proxy_set_header host a;",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("proxy_set_header Host $host;", "location / {", "proxy_set_header A a;", "}"), []);
  assert.deepEqual(
    check(
      "proxy_set_header Host $host;",
      "location = /auth {",
      "internal;",
      "proxy_set_header A a;",
      "proxy_pass http://127.0.0.1:1;",
      "}",
    ),
    [],
  );
});

test("what an inner level drops is shown behind what drops it", () => {
  assert.deepEqual(
    check(
      "proxy_set_header Host $host;",
      "proxy_set_header B b;",
      "location / {",
      "proxy_set_header B c;",
      "proxy_pass http://127.0.0.1:1;",
      "}",
    ),
    ["proxy_set_header B c;", "proxy_set_header Host $host;"],
  );
  assert.deepEqual(
    check(
      "proxy_set_header Host $host;",
      "location / {",
      "proxy_set_header A a;",
      "if ($arg_x) {",
      "proxy_pass http://127.0.0.1:1;",
      "}",
      "}",
    ),
    ["proxy_set_header A a;", "proxy_set_header Host $host;"],
  );
});
