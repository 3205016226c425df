/** SCGI and uwsgi servers behind us and behind nginx: what they are asked, what the client gets, what the log says. */
import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, describe, test } from "node:test";
import { TestServer } from "./http-server.ts";
import { GatewayBackEnd, type GatewayReply, parseScgi, parseUwsgi } from "./support/gateway-back-end.ts";
import { SideBySide } from "./support/side-by-side.ts";

/** By path. Every answer ends with its connection. */
const REPLIES: Readonly<Record<string, readonly string[]>> = {
  "/plain": ["Content-Type: text/plain\r\n\r\nhello"],
  "/http": ["HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\n\r\nhello"],
  "/http-parts": ["HTTP/1.", "1 201 Made\r\nX-One: ", "1\r\n\r", "\nhello"],
  "/http-odd": ["HTTP/x\r\nX-One: 1\r\n\r\nhello"],
  "/status": ["Status: 418 I am a teapot\r\n\r\nshort"],
  "/both": ["HTTP/1.0 201 Made\r\nStatus: 404 Not Here\r\n\r\nx"],
  "/bad-status": ["Status: no\r\n\r\nx"],
  "/location": ["Location: http://other/x\r\n\r\n"],
  "/length": ["Content-Length: 5\r\n\r\nhello"],
  "/more": ["Content-Length: 3\r\n\r\nhello"],
  "/less": ["Content-Length: 9\r\n\r\nhello"],
  "/invalid": ["X-One: 1\r\nno\0\r\n\r\nx"],
  "/big": [`X-Big: ${"x".repeat(5000)}\r\n\r\nx`],
  "/accel": ["X-Accel-Redirect: /inner\r\n\r\n"],
  "/no-content": ["Status: 204 No Content\r\n\r\n"],
  "/nothing": [],
  "/half": ["X-One: 1\r\n"],
  "/large": ["X-One: 1\r\n\r\n", "0123456789".repeat(20_000)],
};

function sends(parts: readonly string[]): GatewayReply {
  const [first, ...rest] = parts;
  return (socket: net.Socket) => {
    if (first === undefined) {
      socket.end();
      return;
    }
    socket.write(first, "latin1");
    setTimeout(() => (sends(rest) as (socket: net.Socket) => void)(socket), 10);
  };
}

for (const [name, parse] of [
  ["scgi", parseScgi],
  ["uwsgi", parseUwsgi],
] as const) {
  describe(`answers of ${name}, beside nginx`, () => {
    let backEnd: GatewayBackEnd;
    let both: SideBySide;

    before(async () => {
      backEnd = await GatewayBackEnd.listen(parse, ({ params }) =>
        sends(REPLIES[params.get("URI") ?? ""] ?? ["X-One: 1\r\n\r\nx"]),
      );
      both = await SideBySide.start(`
        ${name}_param URI $uri;
        server {
          listen 127.0.0.1:%PORT%;
          location / { ${name}_pass ${backEnd.address}; }
          location /unbuffered/ { rewrite ^/unbuffered(.*)$ $1 break; ${name}_buffering off; ${name}_pass ${backEnd.address}; }
          location = /inner { return 200 "inner"; }
        }`);
    });
    after(async () => {
      await both.stop();
      backEnd.close();
    });

    for (const path of Object.keys(REPLIES))
      test(`${path}: the same answer, and the same end`, async () => {
        await both.get(path);
        await both.get(`/unbuffered${path}`);
        await both.send(`HEAD ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
      });

    test("the logs complain of the same", () => {
      const lines = both.complaints(/invalid|too big|more data/);
      assert.ok(lines.some((line) => line.includes('upstream sent invalid status "no"')));
      assert.ok(lines.some((line) => line.includes("upstream sent too big header")));
    });
  });

  test(`requests to ${name}: parameters, the client's lines, the body`, async () => {
    const backEnd = await GatewayBackEnd.listen(parse, ({ body }) => sends([`X-One: 1\r\n\r\n${body.length}`]));
    const more = name === "uwsgi" ? "uwsgi_modifier1 5; uwsgi_modifier2 7;" : "";
    const server = await TestServer.start(`
      server {
        listen 127.0.0.1:%PORT%;
        ${more}
        ${name}_param CONTENT_LENGTH $content_length if_not_empty;
        ${name}_param EMPTY $arg_nothing;
        ${name}_param HTTP_X_MINE mine;
        location / { ${name}_pass ${name === "uwsgi" ? "uwsgi://" : ""}${backEnd.address}; }
        location /stream/ { ${name}_pass ${backEnd.address}; ${name}_request_buffering off; }
        location /named/ { set $to ${backEnd.address}; ${name}_pass $to; }
      }`);
    try {
      const body = "0123456789".repeat(4000);
      const lines = `Host: localhost\r\nX-Mine: 1\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: ${body.length}\r\n\r\n`;
      for (const path of ["/", "/stream/", "/named/"]) {
        const { text } = await server.exchange(`POST ${path} HTTP/1.0\r\n${lines}${body.slice(0, 9)}`, body.slice(9));
        assert.match(text, new RegExp(`\r\n\r\n${body.length}$`));
        const seen = backEnd.seen.at(-1);
        assert.equal(seen?.body, body);
        assert.equal(seen?.params.get("HTTP_X_MINE"), "mine");
        assert.equal(seen?.params.get("HTTP_X_A"), "1, 2");
        assert.equal(seen?.params.get("HTTP_HOST"), "localhost");
        assert.equal(seen?.params.get("EMPTY"), "");
        assert.equal(seen?.params.get("CONTENT_LENGTH"), String(body.length));
        assert.equal(seen?.flags, name === "uwsgi" ? 5 * 256 + 7 : 0);
        if (name === "scgi") assert.equal(seen?.names[0], "CONTENT_LENGTH");
      }
    } finally {
      await server.stop();
      backEnd.close();
    }
  });
}
