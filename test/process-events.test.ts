/** `use io_uring;`: which event method runs, and that the server serves either way. */
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
events { use ${method}; }
http { server { listen 127.0.0.1:${PORT}; return 200 "${method}"; } }
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
    for (const method of ["epoll", "io_uring"]) {
      load.answers.clear();
      server.configure(configuration(method));
      server.signal("SIGHUP");
      await until(() => load.answers.has(method), `an answer by ${method}`);
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
    assert.equal(await get(PORT), "io_uring");
    assert.equal(server.logged('using the "epoll" event method'), 3, "the master and both workers");
    assert.match(
      server.log,
      /\[warn\] .*"use io_uring" is not possible: io_uring_setup\(\) failed \(1: Operation not permitted\)/,
    );
    assert.equal(await server.quit(), 0);
  });
});
