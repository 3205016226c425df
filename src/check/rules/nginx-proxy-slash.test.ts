import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-proxy-slash", ...lines);

test("both with a slash, both without, no path, and exact names", () => {
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:1/b/;", "}"), []);
  assert.deepEqual(check("location /a {", "proxy_pass http://127.0.0.1:1/b;", "}"), []);
  assert.deepEqual(check("location /a {", "proxy_pass http://127.0.0.1:1;", "}"), []);
  assert.deepEqual(check("location / {", "proxy_pass http://127.0.0.1:1/;", "}"), []);
  assert.deepEqual(check("location = /a {", "proxy_pass http://127.0.0.1:1/;", "}"), []);
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:1/b?c=;", "}"), []);
});

test("only one of them", () => {
  assert.deepEqual(check("location /a/ {", "proxy_pass http://127.0.0.1:1/b;", "}"), [
    "location /a/ {",
    "proxy_pass http://127.0.0.1:1/b;",
  ]);
  assert.deepEqual(check("location /a {", "proxy_pass http://127.0.0.1:1/;", "}"), [
    "location /a {",
    "proxy_pass http://127.0.0.1:1/;",
  ]);
  assert.deepEqual(check("location ^~ /a {", "proxy_pass https://127.0.0.1:1/b/;", "}"), [
    "location ^~ /a {",
    "proxy_pass https://127.0.0.1:1/b/;",
  ]);
});

test("the path of a socket is no path", () => {
  assert.deepEqual(check("location /a/ {", "proxy_pass http://unix:/run/a.sock;", "}"), []);
  assert.deepEqual(check("location /a/ {", "proxy_pass http://unix:/run/a.sock:/;", "}"), []);
});
