/** Which event method runs, asked for by `use` or not, and that the server serves either way. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chooseMethod } from "../src/os/reactor/create.ts";
import {
  freePort,
  get,
  LoadGenerator,
  type Program,
  ServerProcess,
  TANDEM_NGINX,
  until,
} from "./support/server-process.ts";

const PORT = await freePort();
const WITHOUT_URING: Program = [
  process.execPath,
  "--import",
  fileURLToPath(new URL("./support/without-uring.js", import.meta.url)),
  ...TANDEM_NGINX,
];
const { refusal } = chooseMethod("io_uring");

const configuration = (method: string): string => `
daemon off;
worker_processes 2;
error_log logs/error.log notice;
events { ${method === "" ? "" : `use ${method};`} }
http { server { listen 127.0.0.1:${PORT}; return 200 "by ${method}"; } }
`;

describe("event methods", { timeout: 60_000 }, () => {
  let server: ServerProcess;
  afterEach(() => server.destroy());

  test("io_uring serves, says so, and loses no request at reloads to epoll and back", {
    skip: refusal !== undefined && `the kernel refuses it: ${refusal.message}`,
  }, async () => {
    server = new ServerProcess(TANDEM_NGINX, configuration("io_uring"));
    await server.start();
    assert.equal(server.logged('using the "io_uring" event method'), 1);
    const load = new LoadGenerator(PORT, 8);
    for (const method of ["epoll", "io_uring", "epoll", ""]) {
      load.answers.clear();
      server.configure(configuration(method));
      server.signal("SIGHUP");
      await until(() => load.answers.has(`by ${method}`), `an answer by ${method}`);
    }
    const stopped = load.stop();
    assert.equal(await server.quit(), 0);
    await stopped;
    assert.deepEqual(
      load.failures.filter((failure) => !failure.includes("ECONNREFUSED")),
      [],
    );
    assert.equal(server.logged(/\[(alert|crit|emerg|error)\]/g), 0, server.log);
  });

  test("where io_uring is forbidden epoll serves, and the log says why", async () => {
    server = new ServerProcess(WITHOUT_URING, configuration("io_uring"));
    await server.start();
    assert.equal(await get(PORT), "by io_uring");
    assert.equal(server.logged('using the "epoll" event method'), 3, "the master and both workers");
    assert.match(
      server.log,
      /\[warn\] .*"use io_uring" is not possible: io_uring_setup\(\) failed \(1: Operation not permitted\)/,
    );
    assert.equal(await server.quit(), 0);
  });

  test("without `use` io_uring serves where it may, and epoll elsewhere, without a warning", async () => {
    const programs: (readonly [Program, string])[] = [[WITHOUT_URING, "epoll"]];
    if (refusal === undefined) programs.push([TANDEM_NGINX, "io_uring"]);
    for (const [program, method] of programs) {
      server = new ServerProcess(program, configuration(""));
      await server.start();
      assert.equal(await get(PORT), "by ");
      assert.match(server.log, new RegExp(`\\[notice\\] .*using the "${method}" event method`));
      assert.equal(server.logged(/\[(alert|crit|emerg|error|warn)\]/g), 0, server.log);
      assert.equal(await server.quit(), 0);
      server.destroy();
    }
  });
});
