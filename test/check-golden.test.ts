/** Configurations that people run, and that nothing can be said against: the linter is silent. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { anyHost, bindNginx } from "../src/check/bind-nginx.ts";
import { buildSubject } from "../src/check/build-subject.ts";
import { runRules } from "../src/check/rules.ts";
import { RecordingReader } from "../src/process/recorded-files.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const golden = path.join(root, "test/golden/check");

/** What is found in a file, without what this version can't do yet: that is no fault of the file. */
function findings(file: string): readonly string[] {
  const request = {
    keepalived: undefined,
    nginx: file,
    peerKeepalived: undefined,
    peerNginx: undefined,
    configId: "",
  };
  const subject = buildSubject(request, {
    reader: new RecordingReader(),
    facts: undefined,
    bindNginx: (source) => bindNginx(source, anyHost),
  });
  return runRules(subject)
    .filter(
      ({ rule, title }) => rule !== "nginx-directives" || !/^unknown directive|parameter of the "listen"/.test(title),
    )
    .filter(({ rule }) => rule !== "nginx-proxy-defaults")
    .map(({ rule, title, places }) => `${rule}: ${title} (line ${places.map(({ line }) => line).join(", ")})`);
}

const files = [
  ...readdirSync(golden)
    .map((name) => path.join(golden, name))
    .filter((file) => file.endsWith(".conf") && /^worker_processes/m.test(readFileSync(file, "utf8"))),
  ...["api-gateway", "services", "web-application"].map((name) => path.join(root, "examples", name, "nginx.conf")),
  path.join(root, "conf/nginx.conf"),
];

for (const file of files) test(path.relative(root, file), () => assert.deepEqual(findings(file), []));

test("the example of a pair has nothing but its user root, as the tutorial has it", () => {
  const found = findings(path.join(root, "examples/pair/nginx.conf"));
  assert.deepEqual(
    found.map((line) => line.split(":")[0]),
    ["nginx-root-user", "nginx-files"],
  );
});
