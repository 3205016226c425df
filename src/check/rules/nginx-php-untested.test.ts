import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-php-untested", ...lines);

test("a look, or one script", () => {
  assert.deepEqual(check("location ~ \\.php$ {", "try_files $uri =404;", "fastcgi_pass 127.0.0.1:9;", "}"), []);
  assert.deepEqual(check("location ~ ^/index\\.php(/|$) {", "fastcgi_pass 127.0.0.1:9;", "}"), []);
  assert.deepEqual(check("location = /a.php {", "fastcgi_pass 127.0.0.1:9;", "}"), []);
});

test("every path that ends like one", () => {
  assert.deepEqual(check("location ~ \\.php$ {", "fastcgi_pass 127.0.0.1:9;", "}"), [
    "location ~ \\.php$ {",
    "fastcgi_pass 127.0.0.1:9;",
  ]);
});
