import assert from "node:assert/strict";
import { test } from "node:test";
import { parseListen } from "./listen.ts";

const LOCAL = Uint8Array.of(127, 0, 0, 1);

const RULES = { usualPort: 80, knowsDefault: true, unsupported: new Set(["ssl"]) };

function name(...words: string[]): string {
  const parsed = parseListen(words, RULES, (host) => (host === "localhost" ? [LOCAL, LOCAL] : undefined));
  return typeof parsed === "string" ? parsed : parsed.listens.map((listen) => listen.name).join(" ");
}

test("addresses are read in every form", () => {
  const cases: Record<string, string> = {
    "80": "0.0.0.0:80",
    "*:8080": "0.0.0.0:8080",
    "127.0.0.1": "127.0.0.1:80",
    "localhost:81": "127.0.0.1:81",
    "[::]:80": "[::]:80",
    "[::1]": "[::1]:80",
    "unix:/run/a.sock": "unix:/run/a.sock",
    "8000-8002": "0.0.0.0:8000 0.0.0.0:8001 0.0.0.0:8002",
    "[::1]:81-82": "[::1]:81 [::1]:82",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(name(text), expected, text);
});

test("what is no address or parameter is refused in nginx's words", () => {
  assert.equal(name("0"), 'invalid port in "0" of the "listen" directive');
  assert.equal(name("127.0.0.1:99999"), 'invalid port in "127.0.0.1:99999" of the "listen" directive');
  assert.equal(name("nowhere.invalid"), 'host not found in "nowhere.invalid" of the "listen" directive');
  assert.equal(name("[::1:80"), 'invalid host in "[::1:80" of the "listen" directive');
  assert.equal(name("80", "defualt_server"), 'invalid parameter "defualt_server"');
  assert.equal(name("80", "backlog=0"), 'invalid backlog "backlog=0"');
  assert.equal(name("[::]:80", "ipv6only=over"), 'invalid ipv6only flags "over"');
  assert.equal(name("9-8"), 'invalid port range in "9-8" of the "listen" directive');
  assert.equal(name("a/b:80"), 'invalid host in "a/b:80" of the "listen" directive');
  assert.equal(name("80", "so_keepalive=maybe"), 'invalid so_keepalive value: "maybe"');
  assert.equal(name("80", "ssl"), 'the "ssl" parameter of the "listen" directive is not supported');
});

test("socket parameters are kept, and imply a socket of its own", () => {
  const parsed = parseListen(
    ["80", "default_server", "backlog=10", "rcvbuf=8k", "so_keepalive=30m::10", "reuseport"],
    RULES,
  );
  assert.ok(typeof parsed !== "string");
  const [listen] = parsed.listens;
  assert.equal(listen?.defaultServer, true);
  assert.equal(listen?.bind, true);
  assert.equal(listen?.socket?.backlog, 10);
  assert.equal(listen?.socket?.receiveBufferBytes, 8192);
  assert.deepEqual(listen?.socket?.keepAlive, { idleS: 1800, count: 10 });
  const plain = parseListen(["80", "default"], RULES);
  assert.ok(typeof plain !== "string");
  assert.equal(plain.listens[0]?.socket, undefined);
  assert.equal(plain.warnings.length, 1);
});
