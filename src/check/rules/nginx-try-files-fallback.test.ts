import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-try-files-fallback", ...lines);

test("a status, a path, a named location or a variable of its own end it well", () => {
  assert.deepEqual(check("location / {", "try_files $uri =404;", "}"), []);
  assert.deepEqual(check("location / {", "try_files $uri /index.html;", "}"), []);
  assert.deepEqual(check("location / {", "try_files $uri @app;", "}", "location @app {", "return 204;", "}"), []);
  assert.deepEqual(check("set $page /a;", "location / {", "try_files $uri $page;", "}"), []);
});

test("the path itself leads in circles", () => {
  assert.deepEqual(check("location / {", "try_files $uri $uri/;", "}"), ["try_files $uri $uri/;"]);
  assert.deepEqual(check("location / {", "try_files /x ${uri}.html;", "}"), ["try_files /x ${uri}.html;"]);
});

test("a name without a slash is no path", () => {
  assert.deepEqual(check("location / {", "try_files $uri index.html;", "}"), ["try_files $uri index.html;"]);
});
