import assert from "node:assert/strict";
import { test } from "node:test";
import { flagged } from "../nginx/site.cases.ts";

const check = (...lines: string[]) =>
  flagged(
    "nginx-cache-cookies",
    "proxy_cache_path /var/cache/c keys_zone=c:1m;",
    "server {",
    "location / {",
    "proxy_pass http://127.0.0.1:1;",
    ...lines,
    "}",
    "}",
  );

test("cookies that are not ignored, or hidden, or part of the key are fine, and so is no cache", () => {
  assert.deepEqual(check("proxy_cache c;", "proxy_ignore_headers Expires;"), []);
  assert.deepEqual(check("proxy_cache c;", "proxy_ignore_headers Set-Cookie;", "proxy_hide_header set-cookie;"), []);
  assert.deepEqual(
    check("proxy_cache c;", "proxy_ignore_headers Set-Cookie;", "proxy_cache_key $uri$cookie_session;"),
    [],
  );
  assert.deepEqual(check("proxy_ignore_headers Set-Cookie;"), []);
});

test("a session goes to everybody", () => {
  assert.deepEqual(check("proxy_cache c;", "proxy_ignore_headers Set-Cookie;"), ["proxy_ignore_headers Set-Cookie;"]);
  assert.deepEqual(check("proxy_cache $arg_c;", "proxy_ignore_headers Expires Set-Cookie;"), [
    "proxy_ignore_headers Expires Set-Cookie;",
  ]);
});
