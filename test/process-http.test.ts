/** `bin/nginx` as a whole, with http: start, reload and end under load; what it says about addresses, side by side with nginx. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import net from "node:net";
import { afterEach, describe, test } from "node:test";
import { findNginx } from "./support/nginx-binary.ts";
import {
  freePort,
  get,
  isAlive,
  LoadGenerator,
  nobody,
  ServerProcess,
  sleep,
  TANDEM_NGINX,
  until,
} from "./support/server-process.ts";

const PORT = await freePort();
const OTHER_PORT = await freePort();

const configuration = (servers: string, main = ""): string => `
daemon off;
worker_processes 2;
pid logs/nginx.pid;
error_log logs/error.log info;
${main}
events { worker_connections 1000; }
http {
  access_log logs/access.log;
  ${servers}
}
`;
const answering = (port: number, text: string): string =>
  `server { listen 127.0.0.1:${port}; location / { return 200 "${text} $pid"; } }`;

describe("bin/nginx", { timeout: 120_000 }, () => {
  let server: ServerProcess;
  afterEach(() => server.destroy());

  async function start(program: readonly string[], text: string): Promise<void> {
    server = new ServerProcess(program, text);
    chmodSync(server.folder, 0o755);
    await server.start("-c", "conf/nginx.conf", "-e", "logs/error.log");
  }

  test("serves from both workers; the started process is the master", async () => {
    await start(TANDEM_NGINX, configuration(answering(PORT, "hello")));
    assert.match(await get(PORT), /^hello \d+$/);
    assert.equal(server.workers().length, 2);
    assert.match(readFileSync(`/proc/${server.pid}/cmdline`, "latin1"), /^nginx: master process/);
    assert.equal(await server.quit(), 0);
    assert.equal(server.logged("[alert]"), 0, server.log);
  });

  test("reloads lose no request of any keep-alive client", async () => {
    await start(TANDEM_NGINX, configuration(answering(PORT, "v0")));
    const load = new LoadGenerator(PORT, 16);
    await until(() => load.succeeded > 200, "some load");
    for (let version = 1; version <= 4; version++) {
      server.configure(configuration(answering(PORT, `v${version}`)));
      server.signal("SIGHUP");
      const isSeen = (): boolean => [...load.answers].some((answer) => answer.startsWith(`v${version}`));
      await until(isSeen, `an answer of version ${version}`);
    }
    await until(() => server.logged("exited with code 0") === 8, "one notice for each old worker");
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.equal(server.logged(/\[(alert|crit|emerg|error)\]/g), 0, server.log);
    await server.quit();
  });

  test("a graceful end loses no request that was accepted, and closes idle keep-alive connections by itself", async () => {
    await start(TANDEM_NGINX, configuration(answering(PORT, "bye")));
    const idle = net.connect(PORT, "127.0.0.1");
    idle.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));
    const begun = Date.now();
    await server.quit();
    assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`);
    idle.destroy();
  });

  test("USR1 under load loses no line of the access log", async () => {
    await start(TANDEM_NGINX, configuration(answering(PORT, "hello"), nobody().directive));
    const load = new LoadGenerator(PORT, 8);
    const files = ["access.log"];
    for (let i = 1; i <= 3; i++) {
      await until(() => load.succeeded > 100 * i, "some load");
      renameSync(server.file("logs/access.log"), server.file(`logs/access.${i}`));
      files.push(`access.${i}`);
      server.signal("SIGUSR1");
      await until(() => existsSync(server.file("logs/access.log")), "the new file");
      await sleep(50);
    }
    await load.stop();
    await server.quit();
    const lines = files.map((name) => readFileSync(server.file(`logs/${name}`), "latin1").split("\n").length - 1);
    assert.equal(
      lines.reduce((sum, count) => sum + count),
      load.succeeded,
      `${lines}`,
    );
    assert.ok(
      lines.every((count) => count > 0),
      `${lines}`,
    );
  });

  test("USR1 renews error logs inside http too, where workers may not create files; unused defaults leave no file", async () => {
    const main = process.getuid?.() === 0 ? nobody().directive : "";
    const inside = `server { access_log off; error_log logs/http.log info; listen 127.0.0.1:${PORT}; }`;
    await start(TANDEM_NGINX, configuration(inside, main).replace("access_log logs/access.log;", ""));
    const log = server.file("logs/http.log");
    const missing = async (): Promise<boolean> => {
      await get(PORT, "/missing");
      return existsSync(log) && readFileSync(log, "latin1").includes('missing" failed (2: No such file or directory)');
    };
    assert.ok(await missing());
    renameSync(log, server.file("logs/http.old"));
    server.signal("SIGUSR1");
    await until(missing, "an error in the new file");
    assert.ok(!existsSync(server.file("logs/access.log")));
    await server.quit();
  });

  test("USR2 and QUIT replace the program without a failed request", async () => {
    await start(TANDEM_NGINX, configuration(answering(PORT, "old")));
    const old = server.pid;
    const load = new LoadGenerator(PORT, 8);
    await until(() => load.succeeded > 100, "some load");
    server.configure(configuration(answering(PORT, "new")));
    server.signal("SIGUSR2");
    await until(() => ![undefined, old].includes(server.pidIfAny), "the new program");
    const fresh = server.pid;
    process.kill(old, "SIGQUIT");
    await until(() => !isAlive(old), "the end of the old one");
    await until(async () => (await get(PORT)).startsWith("new"), "an answer of the new one");
    await load.stop();
    assert.deepEqual(load.failures, []);
    process.kill(fresh, "SIGQUIT");
    await until(() => !isAlive(fresh), "the end");
  });

  const nginx = findNginx();
  const skip = nginx === undefined && "nginx is not installed";

  test("nginx is replaced by Tandem, and Tandem by nginx, while both serve: no connection is refused", {
    skip,
  }, async () => {
    const text = (program: string): string =>
      configuration(
        `server { listen 127.0.0.1:${PORT}; location / { return 200 "${program}"; } }`,
        process.getuid?.() === 0 ? "user root;" : "",
      ).replace("daemon off;", "daemon on;");
    server = new ServerProcess([], text("nginx"));
    const program = server.file("nginx");
    symlinkSync(nginx as string, program);
    const started = spawnSync(program, ["-p", server.folder, "-c", "conf/nginx.conf", "-e", "logs/error.log"]);
    assert.equal(started.status, 0, String(started.stderr));
    const replaceBy = async (path: string, answer: string): Promise<void> => {
      const old = server.pid;
      unlinkSync(program);
      symlinkSync(path, program);
      server.configure(text(answer));
      server.signal("SIGUSR2", old);
      await until(() => ![undefined, old].includes(server.pidIfAny), `the start of ${answer}`);
      // nginx writes its pid file before its workers are there.
      await until(async () => (await get(PORT)) === answer, `an answer of ${answer}`);
      process.kill(old, "SIGQUIT");
      await until(() => !isAlive(old), "the end of the old program");
    };
    // A signal that comes before nginx's master waits for signals is seen with the next one only.
    await until(async () => (await get(PORT).catch(() => "")) === "nginx", "an answer of nginx");
    let answered = 0;
    let isOver = false;
    const client = (async () => {
      for (; !isOver; answered++) await get(PORT);
    })();
    await replaceBy(TANDEM_NGINX[0] as string, "Tandem");
    assert.match(readFileSync(`/proc/${server.pid}/cmdline`, "latin1"), /^nginx: master process/);
    await replaceBy(nginx as string, "nginx again");
    isOver = true;
    await client;
    assert.ok(answered > 10);
    const last = server.pid;
    server.signal("SIGQUIT", last);
    await until(() => !isAlive(last), "the end");
  });

  /** What both programs say, times and process ids removed. */
  function compare(text: string, args: readonly string[] = []): void {
    const outcomes = [TANDEM_NGINX, [nginx as string]].map((program) => {
      server = new ServerProcess(program, text);
      const { status, stdout, stderr } = server.run("-c", "conf/nginx.conf", "-e", "logs/error.log", ...args);
      const plain = stderr.replaceAll(server.folder, "FOLDER");
      server.destroy();
      return { status, stdout, stderr: plain };
    });
    assert.deepEqual(outcomes[0], outcomes[1]);
  }

  test("an address that another program has: five tries, then the end, as nginx", { skip }, async () => {
    const holder = net.createServer().listen(OTHER_PORT, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    compare(configuration(answering(OTHER_PORT, "never")));
    compare(configuration(answering(OTHER_PORT, "never")), ["-t"]);
    holder.close();
  });

  test("an address that isn't ours, two default servers, a bad address: as nginx", { skip }, () => {
    compare(configuration("server { listen 192.0.2.1:80; }"));
    compare(configuration("server { listen 192.0.2.1:80; }"), ["-t"]);
    const server = `server { listen 127.0.0.1:${PORT} default_server; }`;
    compare(configuration(`${server} ${server}`), ["-t"]);
    compare(configuration(`server { listen 127.0.0.1:${PORT}; listen 127.0.0.1:${PORT}; }`), ["-t"]);
    compare(configuration("server { listen 127.0.0.1:99999; }"), ["-t"]);
    compare(configuration("server { listen unix:; }"), ["-t"]);
    compare(configuration("access_log missing/x.log;").replace("access_log logs/access.log;", ""), ["-t"]);
  });

  test("-T prints every file once, byte for byte, as nginx", { skip }, () => {
    const outputs = [TANDEM_NGINX, [nginx as string]].map((program) => {
      server = new ServerProcess(program, configuration(`include extra.conf; ${answering(PORT, "x")}`));
      writeFileSync(server.file("conf/extra.conf"), "# comment \xe4\nserver_tokens off;", "latin1");
      const [command = "", ...first] = program;
      const { stdout } = spawnSync(command, [...first, "-p", server.folder, "-c", "conf/nginx.conf", "-T", "-q"], {
        encoding: "latin1",
      });
      const text = stdout.replaceAll(server.folder, "FOLDER");
      server.destroy();
      return text;
    });
    assert.match(outputs[0] as string, /# configuration file FOLDER\/conf\/extra.conf:\n# comment \xe4\n/);
    assert.equal(outputs[0], outputs[1]);
  });
});
