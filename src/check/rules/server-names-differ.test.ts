import assert from "node:assert/strict";
import { test } from "node:test";
import { anyHost, bindNginx } from "../bind-nginx.ts";
import { found, GOOD_NGINX } from "../subject.cases.ts";

const named = (names: string): string => GOOD_NGINX.replace("server_name localhost", `server_name ${names}`);
const check = (a: string, b: string) =>
  found("server-names-differ", {
    nginx: named(a),
    peerNginx: named(b),
    bindNginx: (source) => bindNginx(source, anyHost),
  });

test("the same names, in whatever order, are fine; _ is none", () => {
  assert.deepEqual(check("a.example b.example", "b.example a.example _"), []);
  assert.deepEqual(found("server-names-differ", { bindNginx: (source) => bindNginx(source, anyHost) }), []);
});

test("a name of one node only is a warning with its line, from both sides", () => {
  const findings = check("a.example www.example", "a.example *.example");
  assert.deepEqual(
    findings.map(({ title, severity, places }) => [title, severity, places[0]?.file, places[0]?.line]),
    [
      ["Only nginx of a has a server called www.example", "warning", "/srv/nginx.conf", 7],
      ["Only nginx of b has a server called *.example", "warning", "/b/nginx.conf", 7],
    ],
  );
});
