/**
 * Random conversations: pipelined requests of all methods to locations with filters and subrequests, clients that stop
 * reading or go, back ends that drip. Every answer must be the one that belongs there.
 */
import assert from "node:assert/strict";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { TestServer } from "./http-server.ts";

const CONVERSATIONS = 200;
const AT_ONCE = 10;
const SEED = 20_260_101;
const PATIENCE_MS = 20_000;

const BIG = Array.from({ length: 12_000 }, (_, line) => `line ${(line * 7919) % 10_007}\n`).join("");
const DRIPPED = "drip-drip-drip";
const BACK: Readonly<Record<string, string>> = { big: BIG, small: "small body of the back end", drip: DRIPPED };
const FILES: Readonly<Record<string, string>> = { "big.html": BIG, "small.html": "small file" };

/** What each location makes of the body that it finds. */
const LOCATIONS: readonly (readonly [prefix: string, from: "back" | "file", whole: (body: string) => string])[] = [
  ["/p/", "back", (body) => body],
  ["/u/", "back", (body) => body],
  ["/auth/", "back", (body) => body],
  ["/add/", "back", (body) => `${DRIPPED}${body}${BIG}`],
  ["/all/", "back", (body) => `${DRIPPED}${body}small file`],
  ["/mirror/", "back", (body) => body],
  ["/auth-file/", "file", (body) => body],
  ["/add-file/", "file", (body) => `${BIG}${body}${BIG}`],
  ["/rate/", "file", (body) => `${body}${DRIPPED}`],
];

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/html html; } default_type text/html; access_log off;
  gzip on; gzip_types *; addition_types *; client_body_buffer_size 1k;
  upstream b { server ${back}; keepalive 8; }
  server { listen 127.0.0.1:%PORT%; root %DIR%/html; proxy_http_version 1.1; proxy_set_header Connection "";
    location = /status { gzip off; stub_status; }
    location /p/ { proxy_pass http://b/; }
    location /u/ { proxy_buffering off; proxy_pass http://b/; }
    location /auth/ { auth_request /allowed; proxy_pass http://b/; }
    location /add/ { add_before_body /sub/drip; add_after_body /sub/big; proxy_pass http://b/; }
    location /all/ { auth_request /allowed; mirror /sub/small; add_before_body /sub/drip; add_after_body /small.html; proxy_pass http://b/; }
    location /mirror/ { mirror /sub/drip; proxy_request_buffering off; proxy_pass http://b/; }
    location /auth-file/ { auth_request /allowed; alias %DIR%/html/; }
    location /add-file/ { add_before_body /sub/big; add_after_body /big.html; alias %DIR%/html/; }
    location /rate/ { limit_rate 4m; add_after_body /sub/drip; alias %DIR%/html/; }
    location /sub/ { internal; proxy_pass http://b/; }
    location = /allowed { internal; proxy_pass http://b/allowed; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
  }`;

let back: http.Server;
let server: TestServer;
let random: (below: number) => number;

before(async () => {
  back = http.createServer((request, response) => {
    const name = (request.url ?? "").slice(1);
    request.resume().on("end", () => {
      response.setHeader("Content-Type", "text/html");
      if (name === "allowed") response.writeHead(204).end();
      else if (name !== "drip") response.end(BACK[name]);
      else {
        response.write("drip-");
        setTimeout(() => {
          response.write("drip-");
          setTimeout(() => response.end("drip"), 2);
        }, 2);
      }
    });
  });
  await new Promise<void>((resolve) => back.listen(0, "127.0.0.1", resolve));
  const files = Object.fromEntries(Object.entries(FILES).map(([name, body]) => [`html/${name}`, body]));
  server = await TestServer.start(configuration(`127.0.0.1:${(back.address() as AddressInfo).port}`), { files });
  let state = SEED;
  random = (below) => {
    state = (state * 48_271) % 0x7fffffff;
    return state % below;
  };
});

after(async () => {
  await server.stop();
  back.closeAllConnections();
  back.close();
});

interface Asked {
  readonly text: string;
  readonly target: string;
  readonly isHead: boolean;
  readonly expected: string;
}

function ask(): Asked {
  const [prefix, from, whole] = LOCATIONS[random(LOCATIONS.length)] as (typeof LOCATIONS)[number];
  const bodies = Object.entries(from === "back" ? BACK : FILES);
  const [name, body] = bodies[random(bodies.length)] as [string, string];
  const method = ["GET", "GET", "HEAD", from === "back" ? "POST" : "GET"][random(4)] as string;
  const length = method === "POST" ? random(4000) : 0;
  const gzip = random(2) === 0 ? "Accept-Encoding: gzip\r\n" : "";
  const lines = `Host: h\r\n${gzip}${method === "POST" ? `Content-Length: ${length}\r\n` : ""}`;
  const text = `${method} ${prefix}${name} HTTP/1.1\r\n${lines}\r\n${"x".repeat(length)}`;
  return { text, target: `${method} ${prefix}${name}`, isHead: method === "HEAD", expected: whole(body) };
}

/** The first answer of a text; undefined while it is not whole. */
function take(
  text: string,
  isHead: boolean,
): { readonly head: string; readonly body: string; readonly end: number } | undefined {
  const start = text.indexOf("\r\n\r\n") + 4;
  if (start < 4) return undefined;
  const head = text.slice(0, start);
  if (isHead) return { head, body: "", end: start };
  const length = /^Content-Length: (\d+)\r$/im.exec(head)?.[1];
  let body = "";
  let end = start + Number(length);
  if (length !== undefined) body = text.slice(start, end);
  else {
    for (let at = start, size = -1; size !== 0; at = end) {
      const line = text.indexOf("\r\n", at);
      if (line < 0) return undefined;
      size = Number.parseInt(text.slice(at, line), 16);
      assert.ok(size >= 0, `no chunk begins with ${JSON.stringify(text.slice(at, at + 40))}`);
      body += text.slice(line + 2, line + 2 + size);
      end = line + 4 + size;
      if (end > text.length) return undefined;
    }
  }
  if (end > text.length) return undefined;
  const isPacked = /^Content-Encoding: gzip\r$/im.test(head);
  return { head, body: isPacked ? gunzipSync(Buffer.from(body, "latin1")).toString("latin1") : body, end };
}

/** One client. Resolves when it has all its answers, or has gone as it meant to. */
async function converse(): Promise<void> {
  const asked = Array.from({ length: 1 + random(5) }, ask);
  const shown = asked.map(({ target }) => target).join(", ");
  const goes = random(6) === 0 ? random(30) : undefined;
  const rests = random(4) === 0;
  const all = asked.map(({ text }) => text).join("");
  const cut = random(3) === 0 ? random(all.length) : all.length;
  const socket = net.connect(server.port, "127.0.0.1");
  const closed = new Promise((resolve) => socket.on("close", resolve));
  let error: unknown;
  socket.on("error", (one) => (error = one));
  const patience = setTimeout(() => socket.destroy(new Error("no answer")), PATIENCE_MS);
  let text = "";
  let answered = 0;
  socket.on("data", (data) => {
    text += data.toString("latin1");
    try {
      for (let next = asked[answered]; next !== undefined; next = asked[answered]) {
        const answer = take(text, next.isHead);
        if (answer === undefined) return;
        text = text.slice(answer.end);
        assert.match(answer.head, /^HTTP\/1\.1 200 /);
        assert.ok(next.isHead || answer.body === next.expected, `${next.target}: ${answer.body.length} bytes`);
        answered++;
      }
      socket.destroy();
    } catch (one) {
      socket.destroy(one as Error);
    }
  });
  socket.write(all.slice(0, cut), "latin1");
  if (rests) socket.pause();
  await sleep(random(5));
  if (!socket.destroyed) socket.write(all.slice(cut), "latin1");
  if (goes !== undefined) {
    await sleep(goes);
    socket.destroy();
  } else if (rests) {
    await sleep(random(50));
    socket.resume();
  }
  await closed;
  clearTimeout(patience);
  if (goes === undefined)
    assert.ok(error === undefined && answered === asked.length, `${shown}: ${answered}, ${error}`);
}

test("every answer is the one that belongs there, whoever stops reading or goes", { timeout: 120_000 }, async () => {
  let left = CONVERSATIONS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await converse();
    }),
  );
  // Nothing is left over: the only connection and the only request are those that ask.
  let status = "";
  for (let tries = 0; tries < 100 && !/Active connections: 1 [\s\S]*Writing: 1 /.test(status); tries++) {
    status = await server.get("/status");
    await sleep(20);
  }
  assert.match(status, /Active connections: 1 [\s\S]*Writing: 1 /);
  const lines = server.log("error.log").split("\n");
  assert.deepEqual(
    lines.filter((line) => /\[(?:alert|crit|emerg)\]/.test(line)),
    [],
  );
});
