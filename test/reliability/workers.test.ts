/** Proxied traffic while workers change: reloads, and workers that are killed. */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { MixedLoad, Origin } from "../support/origin.ts";
import { freePort, ServerProcess, TANDEM_NGINX, until } from "../support/server-process.ts";

describe("workers that come and go under proxied traffic", { timeout: 120_000 }, () => {
  let origin: Origin;
  let server: ServerProcess;
  let port: number;

  const configuration = (version: number): string => `
daemon off; worker_processes 2; pid logs/nginx.pid; error_log logs/error.log info;
events { worker_connections 1000; }
http {
  access_log logs/access.log; proxy_temp_path proxy; client_body_temp_path body;
  upstream origin { server ${origin.address}; keepalive 8; }
  server { listen 127.0.0.1:${port}; add_header X-Version ${version}; location / { proxy_pass http://origin; } }
}`;

  beforeEach(async () => {
    origin = await Origin.listen();
    port = await freePort();
    server = new ServerProcess(TANDEM_NGINX, configuration(0));
    chmodSync(server.folder, 0o755);
    await server.start("-c", "conf/nginx.conf", "-e", "logs/error.log");
  });
  afterEach(() => {
    server.destroy();
    origin.close();
  });

  test("reloads lose no proxied request, mix none up and repeat none", async () => {
    const load = new MixedLoad(port, 12);
    await until(() => load.succeeded > 100, "some load");
    for (let version = 1; version <= 3; version++) {
      const before = load.succeeded;
      server.configure(configuration(version));
      server.signal("SIGHUP");
      await until(() => server.logged("exited with code 0") === 2 * version, "the end of the old workers");
      await until(() => load.succeeded > before + 50, "load on the new ones");
    }
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.deepEqual(origin.repeated, []);
    assert.equal(server.logged(/\[(alert|crit|emerg|error)\]/g), 0, server.log);
    assert.equal(await server.quit(), 0);
  });

  test("a killed worker costs the requests that it had, no others, and is replaced", async () => {
    const clients = 12;
    const load = new MixedLoad(port, clients);
    await until(() => load.succeeded > 100, "some load");
    for (let kills = 1; kills <= 2; kills++) {
      const [victim = 0] = server.workers();
      const before = load.succeeded;
      process.kill(victim, "SIGKILL");
      await until(() => server.logged(/exited on signal 9/g) === kills, "the notice");
      await until(() => load.succeeded > before + 100, "load goes on");
      await until(() => server.workers().length >= 2 && !server.workers().includes(victim), "another worker");
    }
    await load.stop();
    // One request at a time for each client: so many can have been with a worker that died.
    assert.ok(load.failures.length <= 2 * clients, JSON.stringify(load.failures));
    assert.deepEqual(
      load.failures.filter(({ what }) => !/ECONNRESET|socket hang up|aborted|ECONNREFUSED/.test(what)),
      [],
    );
    assert.deepEqual(origin.repeated, []);
    assert.equal(await server.quit(), 0);
  });
});
