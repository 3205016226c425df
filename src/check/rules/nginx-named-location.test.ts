import assert from "node:assert/strict";
import { test } from "node:test";
import { lint } from "../nginx/site.cases.ts";

const check = (...lines: string[]) =>
  lint("nginx-named-location", ...lines).map(({ severity, title, places }) => [
    severity,
    /@\w+/.exec(title)?.[0],
    places[0]?.text?.trim(),
  ]);

test("names that are there, also for what the http block says", () => {
  const lines = ["error_page 404 @gone;", "server {", "location @gone {", "return 404;", "}", "}"];
  assert.deepEqual(check(...lines), []);
});

test("a name of another server is missing here", () => {
  const lines = [
    "server {",
    "location / {",
    "try_files /x @app;",
    "}",
    "}",
    "server {",
    "location @app {",
    "return 204;",
    "}",
    "}",
  ];
  assert.deepEqual(check(...lines), [
    ["error", "@app", "try_files /x @app;"],
    ["info", "@app", "location @app {"],
  ]);
});

test("every server is asked for what the http block says", () => {
  const lines = ["error_page 404 @gone;", "server {", "location @gone {", "return 404;", "}", "}", "server {", "}"];
  assert.deepEqual(check(...lines), [["error", "@gone", "error_page 404 @gone;"]]);
});

test("a file with missing parts is not judged", () => {
  assert.deepEqual(check("include nothing.conf;", "server {", "error_page 404 @x;", "}"), []);
});
