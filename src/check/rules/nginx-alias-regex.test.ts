import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-alias-regex", ...lines);

test("an alias with captures is fine", () => {
  assert.deepEqual(check("location ~ ^/(?<f>.*)$ {", "alias /srv/$f;", "}"), []);
  assert.deepEqual(check("location /a/ {", "alias /srv/a/;", "}"), []);
});

test("one without is the same file for all", () => {
  assert.deepEqual(check("location ~* \\.png$ {", "alias /srv/img/;", "}"), [
    "location ~* \\.png$ {",
    "alias /srv/img/;",
  ]);
});
