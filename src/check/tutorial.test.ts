import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readerOf } from "../conf/keepalived/example.ts";
import { buildSubject } from "./build-subject.ts";
import { printJson } from "./json.ts";
import { printReport } from "./report.ts";
import { RULES, runRules } from "./rules.ts";
import { judge } from "./verdict.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = path.join(root, "test", "tutorial");
const files = Object.fromEntries(
  readdirSync(folder).map((name) => [`/t/${name}`, readFileSync(path.join(folder, name), "utf8")]),
);
const request = {
  keepalived: "/t/keepalived-master.conf",
  nginx: "/t/nginx.conf",
  peerKeepalived: "/t/keepalived-backup.conf",
  peerNginx: undefined,
  configId: "node",
};
const subject = buildSubject(request, { reader: readerOf(files), facts: undefined });
const findings = runRules(subject);
const verdict = judge(subject, findings);

test("the verdict on the tutorial's pair is that it never fails over when nginx dies", () => {
  assert.equal(verdict.level, "bad");
  assert.equal(verdict.sentence, "This pair will not fail over when nginx dies.");
});

test("every trap of the tutorial's files is found, at its line", () => {
  const said = findings.map(
    ({ rule, severity, places }) =>
      `${severity} ${rule} ${places.map(({ file, line }) => `${path.basename(file)}:${line}`).join(" ")}`,
  );
  assert.deepEqual(said, [
    "error script-dash nginx_check.sh:2",
    "error script-always-fails keepalived-master.conf:5 keepalived-backup.conf:5",
    "error script-timeout keepalived-master.conf:6 nginx_check.sh:5 nginx_check.sh:7 keepalived-backup.conf:6",
    "warning nopreempt-void keepalived-master.conf:15 keepalived-master.conf:10",
    "warning script-security keepalived-master.conf:5 keepalived-backup.conf:5",
    "warning nginx-root-user nginx.conf:1",
    "info script-nginx-path nginx_check.sh:4",
    "info nginx-files nginx.conf:7",
    "info authentication-clear keepalived-master.conf:19 keepalived-backup.conf:18",
    "info interface-names keepalived-master.conf:11 keepalived-backup.conf:11",
  ]);
});

test("the report begins with the verdict, marks the dash and keeps to its width", () => {
  const report = printReport(subject, findings, verdict, { columns: 100, hasColour: false });
  const lines = report.split("\n");
  assert.equal(lines[1], "This pair will not fail over when nginx dies.");
  const at = lines.findIndex((line) => line.includes("–no-header |wc"));
  assert.equal(lines[at + 1]?.indexOf("^"), lines[at]?.indexOf("–"));
  assert.match(report, /nginx on binghe133 dies for good +for ever/);
  for (const line of lines) assert.ok(line.length <= 125, line);
});

test("the JSON document has the same findings and machine-readable times", () => {
  const document = JSON.parse(printJson(subject, findings, verdict, 2));
  assert.equal(document.exitStatus, 2);
  assert.equal(document.findings.length, findings.length);
  assert.equal(document.pairs[0].serviceDies.reason, "always-failing");
});

test("with the dash mended, a timeout and equal states the pair is found to fail over", () => {
  const mended = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [
      name,
      text
        .replace("–no", "--no")
        .replace("interval 2", "interval 2\n\ttimeout 10")
        .replace("state MASTER", "state BACKUP"),
    ]),
  );
  const better = buildSubject(request, { reader: readerOf(mended), facts: undefined });
  const left = runRules(better);
  assert.deepEqual(
    left.filter(({ severity }) => severity === "error"),
    [],
  );
  assert.equal(judge(better, left).sentence, "This pair fails over when a node dies and when nginx dies.");
});

test("every rule has its file, its test and its place in the list", () => {
  const names = readdirSync(path.join(root, "src", "check", "rules"));
  const rules = names.filter((name) => !name.endsWith(".test.ts")).map((name) => path.basename(name, ".ts"));
  assert.deepEqual([...RULES.map(({ id }) => id)].sort(), rules.sort());
  for (const rule of rules) assert.ok(names.includes(`${rule}.test.ts`), `${rule} has no test`);
});
