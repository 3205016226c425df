/** Master and workers by nginx's signals: start, reload, reopen, upgrade, crash, end. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, readlinkSync, renameSync, statSync } from "node:fs";
import net from "node:net";
import { afterEach, describe, test } from "node:test";
import {
  ECHO,
  freePort,
  get,
  isAlive,
  LoadGenerator,
  nobody,
  openFiles,
  ServerProcess,
  sleep,
  until,
} from "./support/server-process.ts";

const PORT = await freePort();
const OTHER_PORT = await freePort();

const configuration = (lines: string): string => `
daemon off;
error_log logs/error.log info;
${lines}
events { worker_connections 1000; }
`;

const refused = async (port: number): Promise<boolean> => {
  try {
    await get(port);
    return false;
  } catch {
    return true;
  }
};

describe("lifecycle", { timeout: 120_000 }, () => {
  let server: ServerProcess;
  afterEach(() => server.destroy());

  /** FOLDER in the lines stands for the server's own. */
  async function start(lines: string, ...args: string[]): Promise<void> {
    server = new ServerProcess(ECHO, "");
    server.configure(configuration(lines.replaceAll("FOLDER", server.folder)));
    if (process.getuid?.() === 0) chmodSync(server.folder, 0o755);
    await server.start(...args);
  }

  test("the pid file appears when the workers accept, and goes at the end", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT};`);
    assert.match(await get(PORT), /^hello \d+$/);
    assert.equal(server.workers().length, 2);
    assert.equal(readFileSync(server.pidFile, "latin1"), `${server.pid}\n`);
    assert.match(readFileSync(`/proc/${server.pid}/comm`, "latin1"), /^nginx$/m);
    for (const worker of server.workers()) {
      assert.equal(readFileSync(`/proc/${worker}/comm`, "latin1"), "nginx\n");
      assert.match(readFileSync(`/proc/${worker}/cmdline`, "latin1"), /^nginx: worker process/);
    }
    assert.equal(await server.quit(), 0);
    assert.ok(!existsSync(server.pidFile));
    assert.equal(server.logged("exited with code 0"), 2);
    assert.equal(server.logged("[alert]"), 0);
    assert.equal(server.logged("nginx/1.31.5"), 1);
  });

  test("QUIT finishes what is going on; TERM and INT don't wait for it", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    const slow = get(PORT, "/slow");
    await sleep(100);
    server.signal("SIGQUIT");
    assert.equal(await slow, "slow");
    await until(() => !existsSync(server.pidFile), "the end");
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      server.destroy();
      await start(`echo_listen 127.0.0.1:${PORT};`);
      const cut = get(PORT, "/slow");
      cut.catch(() => {});
      await sleep(100);
      assert.equal(await server.quit(signal), 0);
      await assert.rejects(cut);
    }
  });

  test("a worker that finishes its requests listens no more: others are refused at once, not left waiting", async () => {
    const both = `echo_listen 127.0.0.1:${PORT} reuseport; echo_listen 127.0.0.1:${OTHER_PORT};`;
    await start(both);
    const slow = get(PORT, "/slow");
    await sleep(100);
    server.configure(configuration(`echo_listen 127.0.0.1:${OTHER_PORT};`));
    server.signal("SIGHUP");
    let isOver = false;
    slow.finally(() => (isOver = true));
    await until(() => refused(PORT), "the refusal");
    assert.ok(!isOver, "the old worker still works");
    assert.equal(await slow, "slow");
    const last = get(OTHER_PORT, "/slow");
    await sleep(100);
    server.signal("SIGQUIT");
    await until(() => refused(OTHER_PORT), "the refusal");
    assert.ok(isAlive(server.pid));
    assert.equal(await last, "slow");
    await until(() => !existsSync(server.pidFile), "the end");
  });

  test("worker_shutdown_timeout bounds how long a worker finishes", async () => {
    await start(`worker_shutdown_timeout 300ms; echo_listen 127.0.0.1:${PORT};`);
    const cut = get(PORT, "/slow");
    cut.catch(() => {});
    await sleep(50);
    await server.quit();
    await assert.rejects(cut);
  });

  test("a worker that hangs is killed when the master is to end", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    get(PORT, "/hang").catch(() => {});
    await sleep(50);
    await server.quit("SIGTERM");
    assert.equal(server.logged("exited on signal 9"), 1);
  });

  test("reloads under load lose no request of any keep-alive client", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT}; echo_text first;`);
    const load = new LoadGenerator(PORT, 16);
    await until(() => load.succeeded > 200, "some load");
    for (const text of ["second", "third"]) {
      const before = server.workers();
      server.configure(configuration(`worker_processes 2; echo_listen 127.0.0.1:${PORT}; echo_text ${text};`));
      server.signal("SIGHUP");
      await until(() => before.every((pid) => !isAlive(pid)), "the end of the old workers");
      await until(() => [...load.answers].some((answer) => answer.startsWith(text)), `an answer of ${text}`);
    }
    await load.stop();
    assert.deepEqual(load.failures, []);
    await until(() => server.logged("exited with code 0") === 4, "one notice for each old worker");
    assert.equal(server.logged(/\[(alert|crit|emerg|error)\]/g), 0, server.log);
    await server.quit();
  });

  test("a reload opens new addresses, keeps the others and closes those that are gone", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_listen 127.0.0.1:${OTHER_PORT};`));
    server.signal("SIGHUP");
    await until(async () => !(await refused(OTHER_PORT)), "the new address");
    assert.match(await get(PORT), /hello/);
    server.configure(configuration(`echo_listen 127.0.0.1:${OTHER_PORT};`));
    server.signal("SIGHUP");
    await until(() => refused(PORT), "the end of the first address");
    assert.match(await get(OTHER_PORT), /hello/);
    await server.quit();
  });

  test("a bad configuration, an address in use, or workers that fail keep the running configuration", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    const workers = server.workers();
    server.configure(configuration("no_such_directive on;"));
    server.signal("SIGHUP");
    await until(() => server.logged('unknown directive "no_such_directive" in') === 1, "the error");
    assert.match(server.log, /\[emerg\] \d+#\d+: unknown directive "no_such_directive" in \S+nginx.conf:4/);
    const holder = net.createServer().listen(OTHER_PORT, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_listen 127.0.0.1:${OTHER_PORT};`));
    server.signal("SIGHUP");
    await until(() => server.logged("still could not bind()") === 1, "the error");
    assert.equal(server.logged(`bind() to 127.0.0.1:${OTHER_PORT} failed (98: Address already in use)`), 5);
    holder.close();
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_fails on;`));
    server.signal("SIGHUP");
    await until(() => server.logged("the previous configuration stays in force") === 1, "the error");
    await until(() => server.workers().length === 1, "the end of the failed worker");
    assert.deepEqual(server.workers(), workers);
    assert.match(await get(PORT), /hello/);
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_text mended;`));
    server.signal("SIGHUP");
    await until(async () => (await get(PORT)).startsWith("mended"), "the mended configuration");
    await server.quit();
  });

  test("many reloads leak neither descriptors nor processes", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    const reload = async (): Promise<void> => {
      const [old] = server.workers();
      server.signal("SIGHUP");
      await until(() => !isAlive(old as number), "the end of the old worker");
      await until(() => server.workers().length === 1, "one worker");
    };
    await reload();
    await reload();
    await until(() => server.spares().length === 1, "a spare");
    const before = openFiles(server.pid);
    for (let i = 0; i < 8; i++) await reload();
    await until(() => server.spares().length === 1, "a spare");
    assert.equal(openFiles(server.pid), before);
    await server.quit();
  });

  test("a burst of HUPs is answered by reloads one after the other, the last of which sees the last file", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    for (let i = 0; i <= 20; i++) {
      server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_text v${i};`));
      server.signal("SIGHUP");
      await sleep(20);
    }
    await until(async () => (await get(PORT)).startsWith("v20"), "the last version");
    await until(() => server.workers().length === 1, "one worker");
    await server.quit();
  });

  test("a worker that is killed is replaced, and the others don't notice", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT};`);
    const [victim, other] = server.workers() as [number, number];
    process.kill(victim, "SIGKILL");
    await until(() => server.logged(`worker process ${victim} exited on signal 9`) === 1, "the report");
    await until(() => server.workers().length === 2, "the successor");
    assert.ok(isAlive(other));
    await until(async () => /hello/.test(await get(PORT)), "service");
    await server.quit();
  });

  test("a worker that hangs is killed and replaced, unless it is allowed to", async () => {
    await start(`worker_hang_timeout 1s; echo_listen 127.0.0.1:${PORT};`);
    await until(() => server.spares().length === 1, "a spare");
    const [victim, spare] = [server.workers()[0] as number, server.spares()[0] as number];
    process.kill(victim, "SIGSTOP");
    await until(
      () => server.logged(`worker process ${victim} hangs: silent for 1000 ms, killing it`) === 1,
      "the alert",
    );
    await until(() => server.workers().includes(spare), "its successor");
    assert.match(await get(PORT), /^hello/);
    server.configure(configuration(`worker_hang_timeout 0; echo_listen 127.0.0.1:${PORT};`));
    server.signal("SIGHUP");
    await until(() => server.logged("gracefully shutting down") === 1, "the reload");
    await until(() => !isAlive(spare) && server.spares().length === 1, "its end");
    const [worker] = server.workers() as [number];
    process.kill(worker, "SIGSTOP");
    await sleep(3000);
    assert.ok(isAlive(worker));
    process.kill(worker, "SIGCONT");
    server.configure(configuration(`worker_hang_timeout 999ms; echo_listen 127.0.0.1:${PORT};`));
    server.signal("SIGHUP");
    await until(() => server.logged(/"worker_hang_timeout" must be 0 or at least 1s in /g) === 1, "the refusal");
    await server.quit();
  });

  test("a spare worker takes the place of one that is killed, and another takes its own", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT};`);
    await until(() => server.spares().length === 1, "a spare");
    const [, other] = server.workers() as [number, number];
    for (let round = 0; round < 2; round++) {
      const [spare] = server.spares() as [number];
      const [killed] = server.workers().filter((pid) => pid !== other) as [number];
      process.kill(killed, "SIGKILL");
      await until(() => server.workers().includes(spare), "the spare as the successor");
      await until(() => server.workers().length === 2, "the end of the one that was killed");
      assert.ok(isAlive(other) && !isAlive(killed));
      assert.match(readFileSync(`/proc/${spare}/cmdline`, "latin1"), /^nginx: worker process/);
      await until(() => server.spares().length === 1, "another spare");
    }
    assert.match(await get(PORT), /^hello/);
    assert.equal(await server.quit(), 0);
  });

  test("a spare worker serves the configuration of the last reload, and logs to the files of the last reopening", async () => {
    const lines = (text: string): string => `${nobody().directive} echo_listen 127.0.0.1:${PORT}; echo_text ${text};`;
    await start(lines("first"));
    await until(() => server.spares().length === 1, "a spare");
    server.configure(configuration(lines("second")));
    const before = server.workers();
    server.signal("SIGHUP");
    await until(() => before.every((pid) => !isAlive(pid)), "the end of the old worker");
    await until(() => server.spares().length === 1, "a spare again");
    const old = server.spares();
    renameSync(server.file("logs/error.log"), server.file("logs/error.old"));
    server.signal("SIGUSR1");
    await until(() => old.every((pid) => !isAlive(pid)) && server.spares().length === 1, "a spare with the new files");
    const [worker] = server.workers() as [number];
    const [spare] = server.spares() as [number];
    process.kill(worker, "SIGKILL");
    await until(() => server.workers().includes(spare), "the successor");
    await until(async () => !(await refused(PORT)), "service");
    assert.match(await get(PORT), /^second/);
    assert.equal(readlinkSync(`/proc/${spare}/fd/2`), server.file("logs/error.log"));
    await server.quit();
    assert.equal(server.logged("gracefully shutting down"), 1);
  });

  test("a spare worker heeds no signal but those that end it, is replaced then, and goes when the workers go", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`, "-g", "env LC_ALL=C;");
    await until(() => server.spares().length === 1, "a spare");
    const [spare] = server.spares() as [number];
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const) process.kill(spare, signal);
    await sleep(50);
    assert.ok(isAlive(spare));
    process.kill(spare, "SIGTERM");
    await until(() => server.spares().length === 1 && !server.spares().includes(spare), "another");
    const [last] = server.spares() as [number];
    const slow = get(PORT, "/slow");
    await sleep(100);
    server.signal("SIGQUIT");
    await until(() => !isAlive(last), "the end of the spare");
    assert.ok(isAlive(server.pid), "the worker still works");
    assert.equal(await slow, "slow");
    await until(() => !existsSync(server.pidFile), "the end");
    assert.equal(server.logged("[alert]"), 0, server.log);
  });

  test("a worker that fails by an exception says so and is replaced, less and less eagerly in a crash loop", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    for (let i = 1; i <= 3; i++) {
      await get(PORT, "/crash").catch(() => {});
      await until(() => server.logged("asked to crash") >= i, "the complaint");
      await until(() => server.workers().length === 1, "the successor");
      await until(async () => !(await refused(PORT)), "service");
    }
    assert.equal(server.logged("exited with code 1"), 3);
    await server.quit();
  });

  test("USR1 opens the logs by name, after they were renamed, with the worker's rights", async () => {
    await start(`${nobody().directive} echo_listen 127.0.0.1:${PORT}; echo_log FOLDER/logs/echo.log;`);
    const log = server.file("logs/echo.log");
    await get(PORT);
    assert.equal(readFileSync(log, "latin1"), "request\n");
    renameSync(log, server.file("logs/old.log"));
    renameSync(server.file("logs/error.log"), server.file("logs/error.old"));
    server.signal("SIGUSR1");
    await until(() => existsSync(log) && existsSync(server.file("logs/error.log")), "the new files");
    const answered = (): boolean => existsSync(log) && readFileSync(log, "latin1") === "request\n";
    await until(async () => (await get(PORT)) !== "" && answered(), "a line in the new file");
    const lines = readFileSync(server.file("logs/old.log"), "latin1");
    assert.match(lines, /^(request\n){1,9}$/);
    if (process.getuid?.() === 0) assert.equal(statSync(log).uid, nobody().userId);
    renameSync(log, server.file("logs/older.log"));
    await server.quit();
    assert.equal(server.logged("gracefully shutting down"), 1, "the worker writes to the new file");
  });

  test("workers take QUIT, TERM and USR1 themselves; those that end by them are replaced", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    for (const signal of ["SIGQUIT", "SIGTERM"] as const) {
      const [worker] = server.workers() as [number];
      process.kill(worker, signal);
      await until(() => !isAlive(worker) && server.workers().length === 1, `a successor after ${signal}`);
      await until(async () => !(await refused(PORT)), "service");
    }
    assert.equal(server.logged("signal 3 (SIGQUIT) received, shutting down"), 1);
    assert.equal(server.logged("signal 15 (SIGTERM) received, exiting"), 1);
    // On a terminal these reach the whole group: the master decides.
    const [worker] = server.workers() as [number];
    for (const signal of ["SIGINT", "SIGWINCH", "SIGHUP"] as const) process.kill(worker, signal);
    await sleep(100);
    assert.ok(isAlive(worker));
    assert.equal(server.logged("signal 1 (SIGHUP) received, ignoring"), 1);
    await until(async () => !(await refused(PORT)), "service");
    await server.quit();
  });

  test("workers whose master was killed finish and end", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT};`);
    const { pid } = server;
    const workers = server.workers();
    const slow = get(PORT, "/slow");
    await sleep(100);
    process.kill(pid, "SIGKILL");
    assert.equal(await slow, "slow");
    await until(() => workers.every((worker) => !isAlive(worker)), "the end of the workers");
  });

  test("unix sockets: created for all, removed at the end and when a reload drops them; a stale one is an error as with nginx", async () => {
    await start("echo_listen unix:FOLDER/test.sock;");
    const path = server.file("test.sock");
    assert.match(await get(path), /hello/);
    assert.equal(statSync(path).mode & 0o777, 0o666);
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT};`));
    server.signal("SIGHUP");
    await until(() => !existsSync(path), "the removal");
    server.configure(configuration(`echo_listen unix:${path};`));
    server.signal("SIGHUP");
    await until(() => existsSync(path), "the new socket");
    await until(() => server.workers().length === 1, "one worker");
    await server.quit();
    assert.ok(!existsSync(path));
  });

  test("reuseport gives every worker a socket of its own, also when a reload adds it", async () => {
    await start(`worker_processes 2; echo_listen 127.0.0.1:${PORT};`);
    server.configure(configuration(`worker_processes 2; echo_listen 127.0.0.1:${PORT} reuseport; echo_text each;`));
    server.signal("SIGHUP");
    await until(async () => (await get(PORT)).startsWith("each"), "the new configuration");
    await until(() => server.workers().length === 2, "two workers");
    const silent = new Set(server.workers());
    await until(async () => {
      silent.delete(Number((await get(PORT)).split(" ")[1]));
      return silent.size === 0;
    }, "answers of both workers");
    await server.quit();
  });

  test("root's workers become the configured user, with its groups only", {
    skip: process.getuid?.() !== 0 && "needs root",
  }, async () => {
    await start(`${nobody().directive} echo_listen 127.0.0.1:${PORT};`);
    assert.equal(await get(PORT, "/whoami"), `${nobody().userId} ${nobody().groupId}`);
    await server.quit();
  });

  test("USR2 starts a new binary on the same sockets; QUIT to the old one completes the upgrade", async () => {
    await start(`echo_listen 127.0.0.1:${PORT}; echo_listen unix:FOLDER/upgrade.sock; echo_text old;`);
    const path = server.file("upgrade.sock");
    const old = server.pid;
    const load = new LoadGenerator(PORT, 8);
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; echo_listen unix:${path}; echo_text new;`));
    server.signal("SIGUSR2");
    await until(() => existsSync(server.pidFile) && server.pid !== old, "the new pid file");
    const fresh = server.pid;
    assert.equal(readFileSync(`${server.pidFile}.oldbin`, "latin1"), `${old}\n`);
    server.signal("SIGUSR2", fresh);
    await until(() => server.logged("the changing binary signal is ignored") === 1, "the refusal");
    process.kill(old, "SIGQUIT");
    await until(() => !isAlive(old), "the end of the old binary");
    assert.ok(!existsSync(`${server.pidFile}.oldbin`));
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.match(await get(PORT), /^new/);
    assert.match(await get(path), /^new/);
    server.signal("SIGQUIT", fresh);
    await until(() => !isAlive(fresh), "the end");
    assert.ok(!existsSync(path));
  });

  test("when the new binary ends first, everything is as before", async () => {
    await start(`echo_listen 127.0.0.1:${PORT};`);
    const old = server.pid;
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT}; nonsense;`));
    server.signal("SIGUSR2");
    await until(() => server.logged("exited with code 1") === 1, "the failure");
    await until(() => existsSync(server.pidFile), "the pid file under its name");
    assert.equal(server.pid, old);
    server.configure(configuration(`echo_listen 127.0.0.1:${PORT};`));
    server.signal("SIGUSR2");
    await until(() => existsSync(server.pidFile) && server.pid !== old, "the new binary");
    await server.quit("SIGTERM").catch(() => {});
    await until(() => existsSync(server.pidFile) && server.pid === old, "the old name");
    assert.match(await get(PORT), /hello/);
    await server.quit();
  });
});
