/** `post_action`: what a request does behind its answer, as nginx does it. */
import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { Talker } from "./support/talker.ts";

const nginx = installedNginx();

/** Sockets of requests that are not answered, by path. */
const held = new Map<string, net.Socket>();

function reply({ text }: Seen): Reply {
  const target = /^\S+ (\S*)/.exec(text)?.[1] ?? "";
  if (/^\/(held|gone|broken)/.test(target)) return (socket) => void held.set(target, socket);
  if (target === "/down") return (socket) => socket.end();
  return ok(`<${target}>`);
}

const configuration = (back: string): string => `
  log_format t '$request_uri $uri $status $body_bytes_sent "$request_completion" $upstream_addr|'; access_log logs/t.log t;
  server { listen 127.0.0.1:%PORT%; root %DIR%/html; proxy_next_upstream off;
    location /file { post_action /told; alias %DIR%/html/x; }
    location /proxied { post_action /told; proxy_pass http://${back}; }
    location /quiet { post_action /page; return 200 quiet; }
    location /named { post_action @told; return 200 named; }
    location /missing { post_action /nowhere; return 200 missing; }
    location /lost { post_action told; return 200 lost; }
    location /failing { post_action /down; return 200 failing; }
    location /chain1 { post_action /chain2; return 200 chain; }
    location /chain2 { post_action /told; return 204; }
    location /circle { post_action /circle; proxy_pass http://${back}; }
    location /if { if ($arg_on) { post_action /told; } proxy_pass http://${back}; }
    location /error { post_action /told; return 503; }
    location /held { post_action /held/told; return 200 held; }
    location = /held/told { proxy_pass http://${back}; }
    location /gone { post_action /told; proxy_pass http://${back}; }
    location /broken { post_action /told; proxy_pass http://${back}; }
    location /page { }
    location /told { proxy_pass http://${back}/told?$status:$request_method:$is_args$args:$body_bytes_sent; }
    location /down { proxy_pass http://${back}; }
    location @told { proxy_pass http://${back}; }
  }`;

const TARGETS = "file proxied quiet named missing lost failing chain1 circle if if?on=1 error told".split(" ");

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

describe("post_action", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let ours: TestServer;
  let theirs: TestServer | undefined;

  before(async () => {
    back = await BackEnd.listen(reply);
    const files = { "html/x": "file", "html/page": "page" };
    ours = await TestServer.start(configuration(back.address), { files });
    if (nginx !== undefined) theirs = await TestServer.start(configuration(back.address), { binary: nginx, files });
  });

  after(async () => {
    await ours.stop();
    await theirs?.stop();
    back.close();
  });

  /** What the back end is asked for while something is done. */
  const asked = async (what: () => Promise<unknown>, count: number): Promise<readonly string[]> => {
    const from = back.seen.length;
    await what();
    for (let tries = 0; tries < 100 && back.seen.length < from + count; tries++) await sleep(10);
    return back.seen.slice(from).map(({ text }) => /^\S+ \S+/.exec(text)?.[0] ?? "");
  };
  const isHeld = async (target: string): Promise<net.Socket> => {
    for (let tries = 0; tries < 500 && !held.has(target); tries++) await sleep(10);
    const socket = held.get(target);
    assert.ok(socket !== undefined, `${target} was asked for`);
    held.delete(target);
    return socket;
  };
  const logged = async (server: TestServer, target: string): Promise<string> => {
    const line = new RegExp(`^/${target.replace("?", "\\?")} .*$`, "m");
    for (let tries = 0; tries < 100 && !line.test(server.log("t.log")); tries++) await sleep(10);
    return line.exec(server.log("t.log"))?.[0] ?? "";
  };

  test("answers, requests to the back end and log lines are nginx's", {
    skip: nginx === undefined && "nginx is not installed",
  }, async () => {
    for (const target of TARGETS) {
      const results: unknown[] = [];
      for (const server of [ours, theirs as TestServer]) {
        const request = `GET /${target} HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
        let text = "";
        const requests = await asked(async () => {
          text = (await exchange(server.port, [request], 2000)).text;
        }, 0);
        const line = await logged(server, target);
        results.push([
          requests,
          line,
          text.replace(/nginx\/[\d.]+/g, "V").replace(/(Date|Last-Modified|ETag): [^\r]*/g, "$1"),
        ]);
      }
      assert.deepEqual(results[0], results[1], target);
    }
  });

  test("comes behind the answer, and the next request behind it", async () => {
    const requests = await asked(() => exchange(ours.port, ["GET /file HTTP/1.0\r\n\r\n"], 2000), 1);
    assert.deepEqual(requests, ["GET /told?200:GET::4"]);
    const talker = await Talker.connect(ours.port);
    talker.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\nGET /page HTTP/1.1\r\nHost: h\r\n\r\n");
    await talker.until(/\r\n\r\nheld$/);
    (await isHeld("/held/told")).write(ok("not for the client"));
    await talker.until(/\r\n\r\nheldHTTP.*\r\n\r\npage$/s);
    talker.end();
  });

  test("a circle of them ends", async () => {
    const requests = await asked(() => exchange(ours.port, ["GET /circle HTTP/1.0\r\n\r\n"], 2000), 11);
    assert.equal(requests.length, 11, "the request and what nginx follows it up with");
    assert.match(ours.log("error.log"), /redirection cycle while internally redirecting to "\/circle"/);
  });

  for (const target of ["gone", "broken"]) {
    test(`is done for a request that comes to no end: ${target}`, async () => {
      const results: unknown[] = [];
      for (const server of theirs === undefined ? [ours] : [ours, theirs]) {
        const talker = await Talker.connect(server.port);
        const requests = await asked(async () => {
          talker.send(`GET /${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
          const socket = await isHeld(`/${target}`);
          if (target === "gone") talker.socket.destroy();
          else socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbroken");
          await new Promise((resolve) => socket.once("close", resolve));
          await talker.closed;
        }, 2);
        results.push([requests, await logged(server, target), body(talker.text)]);
      }
      const told = `GET /told?${target === "gone" ? "009" : "200"}:GET::${target === "gone" ? 0 : 6}`;
      assert.deepEqual((results[0] as readonly unknown[])[0], [`GET /${target}`, told]);
      if (theirs !== undefined) assert.deepEqual(results[0], results[1]);
      assert.match(await ours.get("/page"), /page$/, "it serves on");
    });
  }
});
