/** What tests open for themselves goes with them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { OURS } from "./http-server.ts";
import { isAlive, until } from "./support/server-process.ts";

/** Far more than it takes to start a server; less than a file of tests may take. */
const PATIENCE_MS = 60_000;

test("a test file that fails before it could close anything ends, and so does its server", async () => {
  const script = `
    import { writeSync } from "node:fs";
    import { before, test } from "node:test";
    import { TestServer } from ${JSON.stringify(new URL("./http-server.js", import.meta.url).href)};
    import { BackEnd } from ${JSON.stringify(new URL("./support/back-end.js", import.meta.url).href)};
    before(async () => {
      const back = await BackEnd.listen(() => "");
      const server = await TestServer.start("server { listen 127.0.0.1:%PORT%; }", { binary: ${JSON.stringify(OURS)} });
      writeSync(2, "pid " + server.pid);
      throw new Error("on purpose");
    });
    test("nothing", () => {});`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { signal, status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: PATIENCE_MS,
    env,
  });
  assert.deepEqual([signal, status], [null, 1], stderr);
  const pid = Number(/^pid (\d+)$/m.exec(stderr)?.[1]);
  assert.ok(pid > 0, stderr);
  await until(() => !isAlive(pid), "the end of its server");
});
