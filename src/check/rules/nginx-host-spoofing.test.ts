import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-host-spoofing", ...lines);

test("checked names are fine, and other fields may say what they like", () => {
  assert.deepEqual(
    check(
      "location / {",
      "proxy_set_header Host $host:$server_port;",
      "proxy_set_header X-Forwarded-Host $http_host;",
      "proxy_pass http://127.0.0.1:1;",
      "}",
    ),
    [],
  );
  assert.deepEqual(check("return 301 https://$host$request_uri;"), []);
  assert.deepEqual(check("return 301 https://example.com/?from=$http_host;"), []);
  assert.deepEqual(check("return 200 $http_host;"), []);
});

test("what the client wrote goes to the back end", () => {
  assert.deepEqual(check("proxy_set_header Host $http_host;"), ["proxy_set_header Host $http_host;"]);
  assert.deepEqual(check("proxy_set_header host $arg_h;"), ["proxy_set_header host $arg_h;"]);
});

test("or into a redirect", () => {
  assert.deepEqual(check("return 301 https://$http_host$request_uri;"), ["return 301 https://$http_host$request_uri;"]);
  assert.deepEqual(check("rewrite ^ $scheme://$http_host/a permanent;"), [
    "rewrite ^ $scheme://$http_host/a permanent;",
  ]);
});
