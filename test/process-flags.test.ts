/** nginx's options, texts and exit codes, side by side with the real program where it is installed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { findNginx } from "./support/nginx-binary.ts";
import { ECHO, freePort, get, isAlive, ServerProcess, TANDEM_NGINX, until } from "./support/server-process.ts";

const PORT = await freePort();
const GOOD = "pid logs/nginx.pid;\nerror_log logs/error.log;\nevents {}\n";

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe("flags", { timeout: 60_000 }, () => {
  const nginx = findNginx();
  const folder = mkdtempSync(path.join(os.tmpdir(), "flags-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const name of ["conf", "logs"]) mkdirSync(path.join(folder, name));

  /** Times, process ids and version numbers are each program's own. */
  const normalize = (text: string): string =>
    text
      .replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: /gm, "[$1] ")
      .replaceAll(folder, "FOLDER")
      .replace(/nginx\/[\d.]+/g, "nginx/VERSION");

  function run(program: readonly string[], args: readonly string[]): Outcome {
    const [command = "", ...first] = program;
    const { status, stdout, stderr } = spawnSync(command, [...first, ...args], { encoding: "utf8", timeout: 10_000 });
    return { status, stdout: normalize(stdout), stderr: normalize(stderr) };
  }

  /** Both programs on a fresh folder. */
  function both(args: readonly string[], prepare: () => void): { ours: Outcome; theirs: Outcome | undefined } {
    const fresh = (): void => {
      for (const name of ["error.log", "nginx.pid"]) rmSync(path.join(folder, "logs", name), { force: true });
      prepare();
    };
    fresh();
    const ours = run(TANDEM_NGINX, args);
    if (nginx === undefined) return { ours, theirs: undefined };
    fresh();
    return { ours, theirs: run([nginx], args) };
  }

  const write = (text: string) => (): void => writeFileSync(path.join(folder, "conf/nginx.conf"), text);
  const here = ["-p", folder, "-c", "conf/nginx.conf", "-e", "logs/error.log"];
  const pid = (text: string) => (): void => {
    write(GOOD)();
    writeFileSync(path.join(folder, "logs/nginx.pid"), text);
  };
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const cases: readonly { title: string; args: readonly string[]; prepare?: () => void; same?: boolean }[] = [
    { title: "an unknown option", args: ["-x"] },
    { title: "a word that is no option", args: ["stop"] },
    { title: "an unknown letter behind a known one", args: ["-tx"] },
    { title: "-c without a file", args: ["-c"] },
    { title: "-p without a folder", args: ["-p"] },
    { title: "-e without a file", args: ["-e"] },
    { title: "-g without directives", args: ["-g"] },
    { title: "-s without a signal", args: ["-s"] },
    { title: "-s with an unknown signal", args: ["-s", "restart"] },
    { title: "-v", args: ["-v"] },
    { title: "-t", args: [...here, "-t"], prepare: write(GOOD) },
    { title: "-t -q", args: [...here, "-tq"], prepare: write(GOOD) },
    { title: "-v -t", args: [...here, "-vt"], prepare: write(GOOD) },
    { title: "-T", args: [...here, "-T"], prepare: write(GOOD) },
    { title: "-t of an unknown directive", args: [...here, "-t"], prepare: write(`${GOOD}nonsense on;\n`) },
    { title: "-t of a file without events", args: [...here, "-t"], prepare: write("error_log logs/error.log;\n") },
    { title: "-t of an unknown user", args: [...here, "-t"], prepare: write(`user nobody-at-all;\n${GOOD}`) },
    { title: "-t of an unknown group", args: [...here, "-t"], prepare: write(`user nobody no-such-group;\n${GOOD}`) },
    {
      title: "-t of a log that can't be opened",
      args: [...here, "-t"],
      prepare: write("pid logs/nginx.pid;\nerror_log missing/x.log;\nevents {}\n"),
    },
    {
      title: "-t of a bad log level",
      args: [...here, "-t"],
      prepare: write("error_log logs/error.log loud;\nevents {}\n"),
    },
    { title: "-t of a bad affinity", args: [...here, "-t"], prepare: write(`worker_cpu_affinity 012;\n${GOOD}`) },
    { title: "-t of a bad event method", args: [...here, "-t"], prepare: write("events { use kqueue; }\n") },
    { title: "-t of a bad priority", args: [...here, "-t"], prepare: write(`worker_priority high;\n${GOOD}`) },
    { title: "-t of worker_processes", args: [...here, "-t"], prepare: write(`worker_processes many;\n${GOOD}`) },
    { title: "-t with a missing file", args: ["-p", folder, "-c", "conf/missing.conf", "-e", "logs/error.log", "-t"] },
    { title: "-g with an unknown directive", args: [...here, "-g", "nonsense on;", "-t"], prepare: write(GOOD) },
    { title: "-g twice", args: [...here, "-g", "daemon off; daemon off;", "-t"], prepare: write(GOOD) },
    { title: "-s without a pid file", args: [...here, "-s", "stop"], prepare: write(GOOD) },
    { title: "-s with a pid file of rubbish", args: [...here, "-s", "reload"], prepare: pid("rubbish\n") },
    { title: "-s with the pid of nobody", args: [...here, "-s", "quit"], prepare: pid(`${dead}\n`) },
    {
      title: "an error log that can't be opened",
      args: ["-p", folder, "-c", "conf/nginx.conf", "-e", "missing/x", "-t"],
      prepare: write(GOOD),
    },
  ];
  for (const { title, args, prepare = write(GOOD) } of cases) {
    test(`${title}: as nginx`, { skip: nginx === undefined && "nginx is not installed" }, () => {
      const { ours, theirs } = both(args, prepare);
      assert.deepEqual(ours, theirs);
    });
  }

  test("-h shows nginx's options", () => {
    const { status, stdout, stderr } = run(TANDEM_NGINX, ["-h"]);
    assert.deepEqual([status, stdout], [0, ""]);
    assert.match(stderr, /^nginx version: nginx\/VERSION\nUsage: nginx \[-\?hvVtTq\]/);
  });

  test("-V says what is there, and what is not", () => {
    const { status, stderr } = run(TANDEM_NGINX, ["-V"]);
    assert.equal(status, 0);
    assert.match(stderr, /^configure arguments: --prefix=\S+ .*--with-stream .*--without-http_grpc_module/m);
    assert.doesNotMatch(stderr, /with-debug/);
  });

  describe("daemon", () => {
    let server: ServerProcess;
    const configuration = (lines: string): string => `error_log logs/error.log info;\n${lines}\nevents {}\n`;

    test("the command returns when the daemon accepts; the daemon has no terminal and stops by -s", async () => {
      server = new ServerProcess(ECHO, configuration(`echo_listen 127.0.0.1:${PORT};`));
      chmodSync(server.folder, 0o755);
      const { status, stdout, stderr } = server.run();
      assert.deepEqual([status, stdout, stderr], [0, "", ""]);
      assert.match(await get(PORT), /hello/);
      const { pid } = server;
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /, "")
        .split(" ");
      assert.equal(stat[3], String(pid), "it leads a session");
      assert.equal(server.run("-s", "stop").status, 0);
      await until(() => !isAlive(pid), "the end");
      assert.ok(!existsSync(server.pidFile));
      server.destroy();
    });

    test("when the daemon can't start, the command says why and fails", () => {
      server = new ServerProcess(ECHO, configuration(`echo_listen 192.0.2.1:${PORT};`));
      const { status, stderr } = server.run();
      assert.equal(status, 1);
      assert.equal(stderr, `nginx: [emerg] bind() to 192.0.2.1:${PORT} failed (99: Cannot assign requested address)\n`);
      server.destroy();
      server = new ServerProcess(ECHO, configuration("echo_fails on;"));
      const failed = server.run();
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /exited with fatal code 2 and cannot be respawned/);
      assert.equal(server.logged("told to fail"), 1);
      server.destroy();
    });

    test("WINCH sends a daemon's workers away; HUP brings workers back", async () => {
      server = new ServerProcess(ECHO, configuration(`echo_listen 127.0.0.1:${PORT};`));
      server.run();
      server.signal("SIGWINCH");
      await until(() => server.workers().length === 0, "the end of the workers");
      assert.ok(isAlive(server.pid));
      server.signal("SIGHUP");
      await until(() => server.workers().length === 1, "a worker");
      await until(async () => /hello/.test(await get(PORT)), "service");
      await server.quit();
      server.destroy();
    });
  });
});
