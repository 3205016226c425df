/** Whatever an nginx.conf says, every rule comes to an end, and points at lines that are there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readerOf } from "../conf/keepalived/example.ts";
import { anyHost, bindNginx } from "./bind-nginx.ts";
import { buildSubject } from "./build-subject.ts";
import { absurd } from "./rules.cases.ts";
import { runRules } from "./rules.ts";

const request = {
  keepalived: undefined,
  nginx: "/srv/nginx.conf",
  peerKeepalived: undefined,
  peerNginx: undefined,
  configId: "",
};

test("no configuration is too strange", () => {
  fc.assert(
    fc.property(absurd, (body) => {
      const text = `events { }\nhttp {\n${body}}\n`;
      const subject = buildSubject(request, {
        reader: readerOf({ "/srv/nginx.conf": text }),
        facts: undefined,
        bindNginx: (source) => bindNginx(source, anyHost),
      });
      const lines = text.split("\n").length;
      for (const { places, title, why } of runRules(subject)) {
        assert.ok(title !== "" && why !== "", text);
        for (const { line } of places) assert.ok(line >= 1 && line <= lines, `${title}: ${line}`);
      }
    }),
    { numRuns: 300 },
  );
});
