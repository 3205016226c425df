import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const tutorial = (name: string): string => path.join("test", "tutorial", name);

function check(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(path.join(root, "bin", "tandem"), ["check", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("the tutorial's pair ends with 2, in whatever order its files are given", () => {
  const peer = ["--peer", tutorial("keepalived-backup.conf"), "--offline"];
  const { status, stdout } = check(tutorial("nginx.conf"), tutorial("keepalived-master.conf"), ...peer);
  assert.equal(status, 2);
  assert.match(stdout, /^\nThis pair will not fail over when nginx dies\./);
  const other = check(tutorial("keepalived-master.conf"), tutorial("nginx.conf"), ...peer);
  assert.equal(other.stdout, stdout);
});

test("our own example has no errors, and its script is understood", () => {
  const pair = (name: string): string => path.join("examples", "pair", name);
  const args = [pair("nginx.conf"), pair("a/keepalived.conf"), "--peer", pair("b/keepalived.conf"), "--offline"];
  const { status, stdout } = check(...args);
  assert.ok(status === 0 || status === 1, stdout);
  assert.match(stdout, /This pair fails over when a node dies and when nginx dies\./);
  assert.equal(check(...args, "--strict").status, status === 1 ? 2 : 0);
});

test("on this machine firewall, interfaces and paths are looked at without failing", () => {
  const { status, stdout } = check(tutorial("nginx.conf"), tutorial("keepalived-master.conf"), "--json");
  assert.equal(status, 2);
  assert.equal(JSON.parse(stdout).version, 1);
});

test("files that can't be read, and wrong options, end with 3", () => {
  assert.equal(check("/no/such/file").status, 3);
  assert.equal(check().status, 3);
  assert.equal(check(tutorial("nginx.conf"), "--peer", tutorial("keepalived-backup.conf")).status, 3);
  assert.equal(check("--nonsense").status, 3);
  assert.match(
    check(tutorial("keepalived-master.conf"), "--peer", "/no/such").stderr,
    /Config files missing '\/no\/such'/,
  );
});

test("an nginx.conf alone is checked, and nothing is said of a pair", () => {
  const { status, stdout } = check(path.join("examples", "web-application", "nginx.conf"), "--offline");
  assert.equal(status, 0, stdout);
  assert.match(stdout, /Nothing was found that breaks this\./);
  assert.doesNotMatch(stdout, /pair|address|keepalived/);
  const json = JSON.parse(check(tutorial("nginx.conf"), "--offline", "--json").stdout);
  assert.equal(json.nodes[0].file, null);
});

test("an nginx.conf alone ends with the status of its worst finding, and tells a program where it is", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-check-"));
  const file = path.join(folder, "nginx.conf");
  const write = (server: string): void =>
    writeFileSync(
      file,
      `worker_processes 1;\nevents { }\nhttp {\nserver {\nroot /srv/www;\n${server}\n}\ntypes { a/b c; }\n}\n`,
    );
  try {
    write("location /files { alias /srv/files/; }");
    const { status, stdout } = check(file, "--offline", "--json");
    assert.equal(status, 2);
    const { exitStatus, findings } = JSON.parse(stdout);
    assert.equal(exitStatus, 2);
    assert.deepEqual(
      findings.map((one: { rule: string; severity: string; places: { file: string; line: number }[] }) => [
        one.rule,
        one.severity,
        one.places[0]?.file,
        one.places[0]?.line,
      ]),
      [["nginx-alias-traversal", "error", file, 6]],
    );
    assert.match(check(file, "--offline").stdout, /\nErrors: what breaks or gives away \(1\)\n/);
    write("location ~ /admin { }");
    assert.equal(check(file, "--offline").status, 0);
    writeFileSync(file, "worker_processes auto;\nworker_hang_timeout 2s;\nevents { }\n");
    assert.equal(check(file, "--offline").status, 0);
    assert.equal(check(file, "--offline", "--strict").status, 2);
    write("error_log off;");
    assert.equal(check(file, "--offline").status, 1);
    assert.equal(check(file, "--offline", "--strict").status, 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("--rules lists every rule", () => {
  assert.match(check("--rules").stdout, /^script-dash +A check script has a dash/);
});

test("--peers says that no node runs here, and takes no files", () => {
  const { status, stderr, stdout } = check("--peers", "--socket", "/no/such/socket");
  assert.deepEqual([status, stdout], [3, ""]);
  assert.match(stderr, /^tandem check: no Tandem answers on \/no\/such\/socket: /);
  const wrong = check("--peers", tutorial("nginx.conf"));
  assert.equal(wrong.status, 3);
  assert.match(wrong.stderr, /--peers checks what runs: it takes no files/);
});
