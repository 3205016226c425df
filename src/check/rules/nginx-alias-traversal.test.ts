import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-alias-traversal", ...lines);

test("slashes on both sides, and exact names, are fine", () => {
  assert.deepEqual(check("location /files/ {", "alias /srv/files/;", "}"), []);
  assert.deepEqual(check("location = /logo {", "alias /srv/img/;", "}"), []);
  assert.deepEqual(check("location ~ ^/a(.*) {", "alias /srv/a$1;", "}"), []);
  assert.deepEqual(check("location /a {", "alias /srv/$host/;", "}"), []);
});

test("only the alias ends with a slash: the location and the alias are shown", () => {
  assert.deepEqual(check("location /files {", "alias /srv/files/;", "}"), ["location /files {", "alias /srv/files/;"]);
  assert.deepEqual(check("location ^~ /files {", "alias /srv/files/;", "}"), [
    "location ^~ /files {",
    "alias /srv/files/;",
  ]);
});

test("only the location ends with a slash: nothing is where it should be", () => {
  assert.deepEqual(check("location /files/ {", "alias /srv/files;", "}"), ["location /files/ {", "alias /srv/files;"]);
});

test("neither ends with one: folders beside it are served", () => {
  assert.deepEqual(check("location /files {", "alias /srv/files;", "}"), ["location /files {", "alias /srv/files;"]);
});

test("one file under one name is fine", () => {
  assert.deepEqual(check("location /logo {", "alias /srv/img/logo.png;", "}"), []);
});
