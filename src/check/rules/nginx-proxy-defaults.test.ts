import assert from "node:assert/strict";
import { test } from "node:test";
import { found } from "../subject.cases.ts";

/** An nginx.conf whose lines from 4 on are the http block's. */
const nginx = (...lines: string[]): string => `user www-data;
events { }
http {
${lines.join("\n")}
}
`;
const check = (...lines: string[]) =>
  found("nginx-proxy-defaults", { nginx: nginx(...lines) }).map(({ severity, title, places }) => ({
    severity,
    about: /HTTP\/1\.1|idle|Connection: close/.exec(title)?.[0],
    lines: places.map(({ line }) => line),
  }));

test("a file without proxies, and one that says everything, are fine", () => {
  assert.deepEqual(check("server { root /srv; }"), []);
  assert.deepEqual(
    check(
      "proxy_http_version 1.1;",
      'proxy_set_header Connection "";',
      "upstream app { server 192.0.2.1; keepalive 16; }",
      "server { location / { proxy_pass http://app; } location /a { proxy_pass http://192.0.2.2:80/x; } }",
    ),
    [],
  );
});

test("the old behaviour, written out, is fine", () => {
  assert.deepEqual(
    check(
      "upstream app { server 192.0.2.1; }",
      "server { proxy_http_version 1.0; proxy_set_header Connection close;",
      "location / { proxy_pass http://app; } }",
    ),
    [],
  );
});

test("an older file: HTTP/1.1 at each proxy_pass, kept connections at the upstream", () => {
  assert.deepEqual(
    check(
      "upstream App { server 192.0.2.1; }",
      "server {",
      "location / { proxy_pass http://app; }",
      "location /a { if ($arg_x) { proxy_pass http://192.0.2.2; } }",
      "}",
    ),
    [
      { severity: "warning", about: "HTTP/1.1", lines: [6, 7] },
      { severity: "warning", about: "idle", lines: [4] },
    ],
  );
});

test("an upstream that nobody passes to, or only with Connection: close, keeps nothing", () => {
  assert.deepEqual(
    check(
      "upstream unused { server 192.0.2.1; }",
      "upstream app { server 192.0.2.1; }",
      "server { proxy_http_version 1.1;",
      "location / { proxy_set_header Connection close; proxy_pass http://app; } }",
    ),
    [],
  );
});

test("a proxy_set_header of the location hides the outer ones: the Connection field is not said then", () => {
  assert.deepEqual(
    check(
      "upstream app { server 192.0.2.1; keepalive 4; }",
      'server { proxy_http_version 1.1; proxy_set_header Connection "";',
      "location / { proxy_set_header Host $host; proxy_pass http://app; } }",
    ),
    [{ severity: "info", about: "Connection: close", lines: [6] }],
  );
});

test("a target with variables is not guessed at", () => {
  assert.deepEqual(
    check(
      "upstream app { server 192.0.2.1; }",
      "server { proxy_http_version 1.1;",
      "location / { proxy_pass http://$x; } }",
    ),
    [],
  );
});
