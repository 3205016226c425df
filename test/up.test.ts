/** `tandem up` as an operator meets it: what it says, how it ends, what its status tells. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort, get, until } from "./support/server-process.ts";

const TANDEM = fileURLToPath(new URL("../../bin/tandem", import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), "tandem-up-"));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

const nginxConf = (port: number, directive = ""): string => `
worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
${process.getuid?.() === 0 ? "user root;" : ""}
events {}
http { access_log off; server { listen 127.0.0.1:${port}; ${directive} location / { return 200 hello; } } }`;

/** Runs until it has ended by itself. */
function up(...args: string[]) {
  const { status, stderr } = spawnSync(TANDEM, ["up", "--socket", "", ...args], { encoding: "utf8", timeout: 20_000 });
  return { status, stderr };
}

test("what is wrong with both files is told at once", () => {
  const nginx = write("bad-nginx.conf", "events {}\nhttp { lisen 1; }\n");
  const keepalived = write("bad-keepalived.conf", "vrrp_instance V {\n  foo\n}\n");
  const { status, stderr } = up("--nginx", nginx, "--keepalived", keepalived);
  assert.match(stderr, /bad-keepalived\.conf: Line 2\) Unknown keyword 'foo'/);
  assert.match(stderr, /bad-keepalived\.conf cannot be used/);
  assert.match(stderr, /\[emerg\] unknown directive "lisen" in \S+bad-nginx\.conf:2/);
  assert.equal(status, 1);
});

test("files that are not there, or exchanged, are told by name", () => {
  assert.match(
    up("--nginx", "/nowhere/nginx.conf").stderr,
    /open\(\) "\/nowhere\/nginx\.conf" failed \(2: No such file/,
  );
  assert.match(up("--keepalived", "/nowhere/k.conf").stderr, /\/nowhere\/k\.conf cannot be used/);
  const keepalived = write("keepalived.conf", "vrrp_instance V {\n  state BACKUP\n}\n");
  const { status, stderr } = up("--nginx", keepalived);
  assert.match(stderr, /unknown directive "vrrp_instance"/);
  assert.equal(status, 1);
});

test("an upstream that VRRP shall follow must be there, with a zone", async () => {
  const keepalived = write(
    "follow.conf",
    "vrrp_instance V {\n  interface lo\n  virtual_router_id 9\n  virtual_ipaddress { 192.0.2.9 }\n  track_upstream app weight -30\n  track_upstream { gone }\n}\n",
  );
  const http = (zone: string): string =>
    nginxConf(1).replace("http {", `http { upstream app { ${zone} server 192.0.2.1; }`);
  const without = up("--nginx", write("no-zone.conf", http("")), "--keepalived", keepalived);
  assert.match(without.stderr, /Line 5\) track_upstream app: nginx\.conf has no such upstream with a zone/);
  const withZone = up("--nginx", write("zone.conf", http("zone app 64k;")), "--keepalived", keepalived);
  assert.doesNotMatch(withZone.stderr, /track_upstream app/);
  assert.match(withZone.stderr, /Line 6\) track_upstream gone: nginx\.conf has no such/);
  assert.match(
    up("--keepalived", keepalived).stderr,
    /track_upstream app needs the web server of the same "tandem up"/,
  );
  assert.deepEqual([without.status, withZone.status], [1, 1]);
});

test("a node serves, tells its status, refuses a faulty reload aloud, and ends with 0", async () => {
  const port = await freePort();
  const file = write("nginx.conf", nginxConf(port));
  const socket = path.join(folder, "status.sock");
  const child: ChildProcess = spawn(TANDEM, ["up", "--nginx", file, "--prefix", folder, "--socket", socket], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let told = "";
  child.stderr?.on("data", (data) => (told += data));
  try {
    const status = (): { status: number | null; stdout: string } =>
      spawnSync(TANDEM, ["status", "--json", "--socket", socket], { encoding: "utf8" });
    await until(() => status().status === 0, "a status");
    assert.equal(await get(port), "hello");
    const { pid, vrrp, http } = JSON.parse(status().stdout);
    assert.deepEqual([pid, vrrp, http.workers.length, http.requests], [child.pid, null, 1, 1]);
    write("nginx.conf", nginxConf(port, "lisen 1;"));
    child.kill("SIGHUP");
    await until(() => told.includes("Reload refused"), "the refusal");
    assert.match(told, /Reload refused: \S+\/nginx\.conf cannot be used, the old one stays/);
    assert.equal(await get(port), "hello");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGQUIT");
    assert.equal(await ended, 0);
    assert.equal(status().status, 1);
  } finally {
    child.kill("SIGKILL");
  }
});
