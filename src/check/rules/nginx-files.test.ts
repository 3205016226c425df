import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, found, GOOD_NGINX } from "../subject.cases.ts";

test("files that are there are fine, and offline only what can't be read is told", () => {
  assert.deepEqual(found("nginx-files", { facts: factsOf({}) }), []);
  assert.deepEqual(found("nginx-files", {}), []);
});

test("a missing root and a missing error page are warnings on the node", () => {
  const facts = factsOf({ files: { "/srv/www": undefined, "/srv/www/50x.html": undefined } });
  assert.deepEqual(
    found("nginx-files", { facts }).map(({ severity, title }) => `${severity}: ${title}`),
    [
      "warning: The root /srv/www is not a folder on this machine",
      "warning: The error page /50x.html is not there: /srv/www/50x.html",
    ],
  );
});

test("a missing include is an error on the node and a note elsewhere; a broken file is always an error", () => {
  const nginx = GOOD_NGINX.replace("http {", "http {\ninclude mime.types;");
  assert.equal(found("nginx-files", { nginx })[0]?.severity, "info");
  assert.equal(found("nginx-files", { nginx, facts: factsOf({}) })[0]?.severity, "error");
  assert.equal(found("nginx-files", { nginx: "events {" })[0]?.severity, "error");
});
