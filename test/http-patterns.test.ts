/** Patterns of the configuration, as far as what they cost is concerned. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { TestServer } from "./http-server.ts";

const CONFIGURATION = `
  access_log off;
  server {
    listen 127.0.0.1:%PORT%;
    location ~ ^/(\\w+)+$ { return 200 matched; }
    location / { return 200 other; }
  }`;

describe("patterns", { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await TestServer.start(CONFIGURATION);
  });
  after(() => server.stop());

  test("a client can't hold a worker by a text that a pattern backtracks on without end", async () => {
    assert.match(await server.get(`/${"a".repeat(2000)}`), /matched$/);
    assert.match(await server.get(`/${"a".repeat(2000)}!`), /other$/);
  });
});
