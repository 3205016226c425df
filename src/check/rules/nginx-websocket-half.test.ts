import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-websocket-half", ...lines);

test("both fields, none of them, and fields that are emptied are fine", () => {
  assert.deepEqual(
    check(
      "location / {",
      "proxy_set_header Upgrade $http_upgrade;",
      "proxy_set_header Connection upgrade;",
      "proxy_pass http://127.0.0.1:1;",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("location / {", 'proxy_set_header Connection "";', "proxy_pass http://127.0.0.1:1;", "}"), []);
  assert.deepEqual(check("location / {", 'proxy_set_header Upgrade "";', "proxy_pass http://127.0.0.1:1;", "}"), []);
});

test("one without the other", () => {
  assert.deepEqual(
    check("location / {", "proxy_set_header Upgrade $http_upgrade;", "proxy_pass http://127.0.0.1:1;", "}"),
    ["proxy_set_header Upgrade $http_upgrade;"],
  );
  assert.deepEqual(
    check("location / {", 'proxy_set_header Connection "Upgrade";', "proxy_pass http://127.0.0.1:1;", "}"),
    ['proxy_set_header Connection "Upgrade";'],
  );
});

test("both, in HTTP/1.0", () => {
  assert.deepEqual(
    check(
      "proxy_http_version 1.0;",
      "location / {",
      "proxy_set_header Upgrade $http_upgrade;",
      "proxy_set_header Connection upgrade;",
      "proxy_pass http://127.0.0.1:1;",
      "}",
    ),
    ["proxy_http_version 1.0;"],
  );
});
