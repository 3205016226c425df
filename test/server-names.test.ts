/** Names that several servers of an address have: the first server keeps them, and nginx's warning says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnosticsOf } from "./support/nginx-catalog.ts";

const conflicts = (...servers: readonly string[]): readonly string[] =>
  diagnosticsOf(servers.map((lines) => `server { ${lines} }`).join("\n"));

const warning = (name: string, address = "0.0.0.0:80"): string =>
  `[warn] conflicting server name "${name}" on ${address}, ignored`;

test("a name of two servers of an address, or twice in one of several, is warned of", () => {
  assert.deepEqual(conflicts("server_name a.b c.d a.b;", "server_name A.B;", "server_name c.d e.f;"), [
    warning("a.b"),
    warning("a.b"),
    warning("c.d"),
  ]);
  assert.deepEqual(conflicts("", 'server_name "";'), [warning("")]);
});

test("wildcards conflict with what they are stored as", () => {
  assert.deepEqual(conflicts("server_name *.x.y;", "server_name .x.y;", "server_name x.y;"), [warning(".x.y")]);
  assert.deepEqual(conflicts("server_name .x.y;", "server_name x.y;"), [warning("x.y")]);
  assert.deepEqual(conflicts("server_name www.*;", "server_name www.* www.a;"), [warning("www.*")]);
});

test("other addresses, patterns and the only server of an address are nobody's conflict", () => {
  const here = "listen 127.0.0.1:8000; server_name a;";
  assert.deepEqual(conflicts(here, "listen 127.0.0.1:8001; server_name a a;", "listen 8000; server_name a;"), []);
  assert.deepEqual(conflicts("server_name ~a;", "server_name ~a;"), []);
  assert.deepEqual(conflicts(here, here), [warning("a", "127.0.0.1:8000")]);
});
