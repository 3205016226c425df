import assert from "node:assert/strict";
import { test } from "node:test";
import { flaggedInServer } from "../nginx/site.cases.ts";

const check = (...lines: string[]) => flaggedInServer("nginx-root-exposed", ...lines);

test("a folder of its own is fine, and one file of the system", () => {
  assert.deepEqual(check("root /var/www/html;"), []);
  assert.deepEqual(check("root /home/me/site;"), []);
  assert.deepEqual(check("location = /ca.pem {", "alias /etc/ssl/ca.pem;", "}"), []);
});

test("folders of the system are not", () => {
  assert.deepEqual(check("root /;"), ["root /;"]);
  assert.deepEqual(check("root /etc/;"), ["root /etc/;"]);
  assert.deepEqual(check("location /x/ {", "alias /proc/self/;", "}"), ["alias /proc/self/;"]);
});

test("the configuration's own folder is not", () => {
  assert.deepEqual(check("root /srv;"), ["root /srv;"]);
});
