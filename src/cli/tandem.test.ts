import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const TANDEM = fileURLToPath(new URL("../../../bin/tandem", import.meta.url));

function tandem(args: readonly string[], cwd = tmpdir()) {
  const { status, stdout, stderr } = spawnSync(TANDEM, args, { cwd, encoding: "utf8" });
  return { status, stdout, stderr };
}

test("a wrong option is told in one sentence, with status 2", () => {
  for (const command of ["up", "status", "install-service", "reference"]) {
    const { status, stderr } = tandem([command, "--bogus"]);
    assert.equal(stderr, `tandem ${command}: Unknown option '--bogus'\n"tandem ${command} --help" says more\n`);
    assert.equal(status, 2);
  }
  assert.match(tandem(["up", "--nginx"]).stderr, /^tandem up: Option '--nginx <value>' argument missing\n/);
});

test("an unknown command is told, with the list of those that are", () => {
  const { status, stderr } = tandem(["upp"]);
  assert.equal(status, 2);
  assert.match(stderr, /^tandem: unknown command "upp"\n\nusage: /);
});

test("asking for help writes no reference pages", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-cli-"));
  assert.match(tandem(["reference", "--help"], folder).stdout, /^usage: tandem reference/);
  assert.ok(!existsSync(path.join(folder, "--help")));
  rmdirSync(folder);
});

test("a reader that stops reading early is no error", () => {
  const line = `${TANDEM} lab --list | sleep 0; ${TANDEM} explain listen | sleep 0; ${TANDEM} help | sleep 0`;
  const { stderr } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
  assert.equal(stderr, "");
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-cli-"));
  const file = path.join(folder, "nginx.conf");
  writeFileSync(file, `pid ${folder}/pid; events {}`);
  const nginx = spawnSync("sh", ["-c", `${TANDEM} nginx -T -e stderr -c ${file} | sleep 0`], { encoding: "utf8" });
  assert.equal(nginx.stderr.trim().split("\n").length, 2, nginx.stderr);
  rmSync(folder, { recursive: true });
});
