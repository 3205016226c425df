/** Which header and trailer lines of outer levels are added. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestServer } from "./http-server.ts";

const HTTP = `
  add_header X-A http; add_trailer X-T http;
  server { listen 127.0.0.1:%PORT%; add_header X-A server;
    location /plain { return 200 x; }
    location /own { add_header X-A own; return 200 x; }
    location /merge { add_header_inherit merge; add_header X-A own; return 200 x;
      location /merge/in { add_header X-A in; return 200 x; }
      location /merge/none { return 200 x; } }
    location /off { add_header_inherit off; return 200 x;
      location /off/own { add_header X-A own; return 200 x;
        location /off/own/in { return 200 x; } } }
    location /trailer { add_trailer_inherit merge; add_trailer X-T own; return 200 x;
      location /trailer/off { add_trailer_inherit off; return 200 x; } }
    location /if { add_header_inherit merge; add_header X-A own; if ($arg_x) { add_header X-A if; return 200 x; } return 200 x; }
  }`;

test("header lines of outer levels hold where there are no own ones, never, or always", async () => {
  const server = await TestServer.start(HTTP);
  try {
    const lines = async (target: string, name: string): Promise<string> => {
      const { text } = await server.exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      return [...text.matchAll(new RegExp(`^${name}: (.*)\r$`, "gm"))].map(([, value]) => value).join(" ");
    };
    assert.equal(await lines("/plain", "X-A"), "server");
    assert.equal(await lines("/own", "X-A"), "own");
    assert.equal(await lines("/merge", "X-A"), "own server");
    assert.equal(await lines("/merge/in", "X-A"), "in own server");
    assert.equal(await lines("/merge/none", "X-A"), "own server");
    assert.equal(await lines("/off", "X-A"), "");
    assert.equal(await lines("/off/own", "X-A"), "own");
    assert.equal(await lines("/off/own/in", "X-A"), "");
    assert.equal(await lines("/plain", "X-T"), "http");
    assert.equal(await lines("/trailer", "X-T"), "own http");
    assert.equal(await lines("/trailer/off", "X-T"), "");
    assert.equal(await lines("/if", "X-A"), "own server");
    assert.equal(await lines("/if?x=1", "X-A"), "if own server");
  } finally {
    await server.stop();
  }
});
