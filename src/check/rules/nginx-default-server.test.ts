import assert from "node:assert/strict";
import { test } from "node:test";
import { lintFiles } from "../nginx/site.cases.ts";

const server = (name: string, more = "") => `server { listen 80${more}; server_name ${name}; }`;
const check = (files: Readonly<Record<string, string>>) => {
  const names = Object.keys(files);
  const nginx = `events { }\nhttp {\n${names.map((name) => `include ${name};`).join("\n")}\n}\n`;
  return lintFiles("nginx-default-server", nginx, files).length;
};

test("one file, or a server that says it is the default one, is fine", () => {
  assert.equal(check({ "a.conf": `${server("a")}\n${server("b")}` }), 0);
  assert.equal(check({ "a.conf": server("a"), "b.conf": server("b", " default_server") }), 0);
  assert.equal(check({ "a.conf": server("a"), "b.conf": server("b").replace("80", "81") }), 0);
});

test("else the order of the files decides", () =>
  assert.equal(check({ "a.conf": server("a"), "b.conf": server("b") }), 1));
