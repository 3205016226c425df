import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-regex-dot", ...lines);

test("escaped dots, repeated ones, and those between other signs are fine", () => {
  assert.deepEqual(check("location ~ \\.php$ {", "}"), []);
  assert.deepEqual(check("location ~ ^/a.*b$ {", "}"), []);
  assert.deepEqual(check("location ~ ^/[.]x/./y {", "}"), []);
  assert.deepEqual(check("server_name ~^www\\.a\\.example$;"), []);
});

test("between letters, or in front of an extension", () => {
  assert.deepEqual(check("location ~ index.php$ {", "}"), ["location ~ index.php$ {"]);
  assert.deepEqual(check("location ~* .(jpg|png)$ {", "}"), ["location ~* .(jpg|png)$ {"]);
  assert.deepEqual(check("server_name ~^a.example$;"), ["server_name ~^a.example$;"]);
  assert.deepEqual(check("rewrite ^/a.html$ /b;"), ["rewrite ^/a.html$ /b;"]);
});
