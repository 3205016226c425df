/** Back ends that die, stall or talk nonsense in every phase of a request, and clients that go: what the client gets and who is asked. */
import assert from "node:assert/strict";
import type net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { DeafPort } from "./support/deaf-port.ts";
import { Talker } from "./support/talker.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Says something, then does something to the connection a moment later, so that what was said has arrived. */
function after10(socket: net.Socket, text: string, act: (socket: net.Socket) => void): void {
  socket.write(text, "latin1");
  setTimeout(() => act(socket), 10);
}
const end = (socket: net.Socket): unknown => socket.end();
const reset = (socket: net.Socket): unknown => socket.resetAndDestroy();
const nothing = (): void => {};

interface Failure {
  readonly says: string;
  readonly does: (socket: net.Socket) => void;
  /** What the client gets: everything, as HTTP/1.1 has it. */
  readonly client: RegExp;
  /** Another server is asked. */
  readonly next?: boolean;
  readonly log?: RegExp;
}

const BAD_GATEWAY = /^HTTP\/1\.1 502 Bad Gateway\r\n/;
const TIME_OUT = /^HTTP\/1\.1 504 Gateway Time-out\r\n/;

/** By path. Of an answer that has begun, nothing is asked again and nothing is made up. */
const FAILURES: Readonly<Record<string, Failure>> = {
  "end-at-once": {
    says: "",
    does: end,
    client: BAD_GATEWAY,
    next: true,
    log: /prematurely closed connection while reading response header/,
  },
  "reset-at-once": {
    says: "",
    does: reset,
    client: BAD_GATEWAY,
    next: true,
    log: /recv\(\) failed \(104: .*while reading response header/,
  },
  silence: {
    says: "",
    does: nothing,
    client: TIME_OUT,
    next: true,
    log: /upstream timed out .* while reading response header/,
  },
  "end-in-status": { says: "HTTP/1.1 2", does: end, client: BAD_GATEWAY, next: true },
  "reset-in-status": { says: "HTTP/1.1 2", does: reset, client: BAD_GATEWAY, next: true },
  "end-in-head": { says: "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-", does: end, client: BAD_GATEWAY, next: true },
  "silence-in-head": { says: "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-", does: nothing, client: TIME_OUT, next: true },
  "end-behind-head": {
    says: HEAD,
    does: end,
    client: /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: 10\r\n[\s\S]*\r\n\r\n$/,
    log: /prematurely closed connection while reading upstream/,
  },
  "end-in-body": { says: `${HEAD}01234`, does: end, client: /Content-Length: 10\r\n[\s\S]*\r\n\r\n01234$/ },
  "reset-in-body": {
    says: `${HEAD}01234`,
    does: reset,
    client: /Content-Length: 10\r\n[\s\S]*\r\n\r\n01234$/,
    log: /recv\(\) failed \(104: .*while reading upstream/,
  },
  "silence-in-body": {
    says: `${HEAD}01234`,
    does: nothing,
    client: /Content-Length: 10\r\n[\s\S]*\r\n\r\n01234$/,
    log: /upstream timed out .* while reading upstream/,
  },
  "end-in-chunk-size": { says: `${CHUNKED}5`, does: end, client: /chunked\r\n[\s\S]*\r\n\r\n$/ },
  "end-in-chunk": { says: `${CHUNKED}5\r\n012`, does: end, client: /\r\n\r\n3\r\n012\r\n$/ },
  "end-behind-chunk": { says: `${CHUNKED}3\r\n012\r\n`, does: end, client: /\r\n\r\n3\r\n012\r\n$/ },
  "end-in-last-chunk": { says: `${CHUNKED}3\r\n012\r\n0\r\n`, does: end, client: /\r\n\r\n3\r\n012\r\n$/ },
  "reset-in-chunk": { says: `${CHUNKED}5\r\n012`, does: reset, client: /\r\n\r\n3\r\n012\r\n$/ },
  "silence-in-chunk": { says: `${CHUNKED}5\r\n012`, does: nothing, client: /\r\n\r\n3\r\n012\r\n$/ },
  // Of such an answer nginx throws away what it has not sent yet, perhaps all of it.
  "bad-chunk-size": {
    says: `${CHUNKED}3\r\n012\r\nzz\r\n`,
    does: nothing,
    client: /^$|\r\n\r\n3\r\n012\r\n$/,
    log: /upstream sent invalid chunked response/,
  },
  "huge-chunk-size": {
    says: `${CHUNKED}ffffffffffffffffff\r\n`,
    does: nothing,
    client: /^$|chunked\r\n[\s\S]*\r\n\r\n$/,
    log: /upstream sent invalid chunked response/,
  },
};

const MEGABYTE = 1024 * 1024;
/** The connection of the last `/flood`. */
let flooding: net.Socket | undefined;
/** Requests for `/dies-when-kept` by connection. */
const lent = new Map<number, number>();

const FINE: Readonly<Record<string, (seen: Seen) => Reply>> = {
  "/fine": () => ok("fine"),
  "/excess": () => `${HEAD}0123456789excess`,
  "/chunk-excess": () => `${CHUNKED}1\r\nx\r\n0\r\n\r\nexcess`,
  "/later": () => (socket) => {
    socket.write(ok("fine"));
    setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), 10);
  },
  "/end-later": () => (socket) => after10(socket, ok("fine"), end),
  "/half-close": () => (socket) => {
    socket.write("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    socket.end();
  },
  "/head-length": () => "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
  "/not-modified": () => "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
  "/slow-body": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    let sent = 0;
    const timer = setInterval(() => {
      socket.write("x");
      if (++sent === 2) clearInterval(timer);
    }, 450);
  },
  "/slow-client": () => ok("x".repeat(20_000_000)),
  "/wait": () => () => {},
  "/head-with-body": () => ok("not wanted"),
  "/flood": () => (socket) => {
    flooding = socket;
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
    socket.write(Buffer.alloc(64 * MEGABYTE, "f"));
  },
  "/stalls": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
    socket.write(Buffer.alloc(16 * MEGABYTE, "s"));
  },
  "/breaks": () => (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
    socket.end(Buffer.alloc(16 * MEGABYTE, "b"));
  },
  "/large-to-end": () => (socket) => {
    socket.write("HTTP/1.0 200 OK\r\n\r\n");
    socket.end(Buffer.alloc(16 * MEGABYTE, "e"));
  },
  "/says-close": () => ok("fine", "Connection: close"),
  "/http-1.0": () => "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfine",
  "/dies-when-kept": ({ connection }) => {
    const count = (lent.get(connection) ?? 0) + 1;
    lent.set(connection, count);
    return count === 1 ? ok("fine") : (socket) => socket.destroy();
  },
};

const name = (seen: Seen): string => /^\S+ ([^ ?]*)/.exec(seen.text)?.[1] ?? "";

function reply(seen: Seen): Reply {
  const failure = FAILURES[name(seen).slice(1)];
  if (failure !== undefined) return (socket) => after10(socket, failure.says, failure.does);
  const status = /^\/status-(\d+)/.exec(name(seen))?.[1];
  if (status !== undefined) return `HTTP/1.1 ${status} Whatever\r\nContent-Length: 5\r\n\r\nfirst`;
  return FINE[name(seen)]?.(seen) ?? ok("fine");
}

describe("a proxied request when things go wrong", { timeout: 90_000 }, () => {
  let first: BackEnd;
  let second: BackEnd;
  let deaf: DeafPort;
  let server: TestServer;

  before(async () => {
    first = await BackEnd.listen(reply);
    second = await BackEnd.listen(() => ok("second"));
    deaf = await DeafPort.open();
    server = await TestServer.start(
      `log_format up '$request_method $uri|$status|$upstream_status|$upstream_addr|$body_bytes_sent'; access_log logs/up.log up;
      upstream one { server ${first.address} max_fails=0; }
      upstream two { server ${first.address} max_fails=0; server ${second.address} backup; }
      upstream deaf { server 127.0.0.1:${deaf.port} max_fails=0; server ${second.address} backup; }
      upstream strict { server ${first.address}; server ${second.address} backup; }
      upstream own { server ${first.address}; } upstream lenient { server ${first.address}; server ${second.address} backup; }
      server { listen 127.0.0.1:%PORT%; proxy_read_timeout 300ms; proxy_buffering off;
        location / { proxy_pass http://one; }
        location /slow-body { proxy_pass http://one; proxy_read_timeout 700ms; }
        location /two/ { proxy_pass http://two/; }
        location /any/ { proxy_pass http://two/; proxy_next_upstream error timeout http_404 http_403 http_429 http_500 http_502 http_503 http_504; }
        location /all/ { proxy_pass http://two/; proxy_next_upstream error timeout http_500 non_idempotent; }
        location /deaf/ { proxy_pass http://deaf/; proxy_connect_timeout 350ms; }
        location /deaf-alone/ { proxy_pass http://127.0.0.1:${deaf.port}/; proxy_connect_timeout 350ms; }
        location /strict/ { proxy_pass http://strict/; proxy_next_upstream http_500; }
        location /lenient/ { proxy_pass http://lenient/; proxy_next_upstream http_404 http_403; }
        location /once/ { proxy_pass http://two/; proxy_next_upstream_tries 1; }
        location /in-time/ { proxy_pass http://two/; proxy_next_upstream_timeout 200ms; proxy_read_timeout 350ms; }
        location /none/ { proxy_pass http://two/; proxy_next_upstream off; }
        location /own/ { proxy_pass http://own/; } location /foreign/ { proxy_pass http://own/; proxy_bind 192.0.2.1; }
        location /stalls { proxy_pass http://one; proxy_read_timeout 600ms; }
        location /in-memory/ { proxy_pass http://one/; proxy_buffering on; proxy_max_temp_file_size 0; proxy_read_timeout 5s; }
        location /unbuffered/ { proxy_pass http://one/; proxy_read_timeout 5s; }
        location /buffered/ { proxy_pass http://one/; proxy_buffering on; proxy_read_timeout 700ms; }
        location /patient/ { proxy_pass http://one/; proxy_ignore_client_abort on; proxy_read_timeout 2s; }
        location /send-time/ { proxy_pass http://one/; send_timeout 300ms; proxy_max_temp_file_size 0; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    for (const one of [first, second, deaf]) one.close();
  });

  const ask = async (target: string, { method = "GET", body = "" } = {}): Promise<string> => {
    const talker = await Talker.connect(server.port);
    const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`;
    talker.send(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${length}\r\n${body}`);
    await talker.closed;
    return talker.text;
  };
  const logged = async (file: string, text: RegExp): Promise<void> => {
    for (let tries = 0; tries < 100 && !text.test(server.log(file)); tries++) await sleep(10);
    assert.match(server.log(file), text);
  };

  for (const [path, { client, next = false, log }] of Object.entries(FAILURES)) {
    test(`${path}: the client sees ${next ? "an error, or the next server's answer" : "what there was, cut off"}`, async () => {
      assert.match(await ask(`/${path}`), client);
      if (log !== undefined) await logged("error.log", log);
      const asked = second.seen.length;
      assert.match(await ask(`/two/${path}`), next ? /^HTTP\/1\.1 200 OK[\s\S]*second$/ : client);
      assert.equal(second.seen.length, next ? asked + 1 : asked);
      // No more than it should: what is sent must not look whole.
      assert.doesNotMatch(await ask(`/${path}`), /0\r\n\r\n$/);
    });
  }

  test("a POST that was sent is not repeated, unless non_idempotent says so", async () => {
    const asked = second.seen.length;
    for (const path of ["end-at-once", "silence", "reset-at-once"]) {
      assert.match(await ask(`/two/${path}`, { method: "POST", body: "b" }), /^HTTP\/1\.1 50[24] /, path);
    }
    assert.equal(second.seen.length, asked);
    assert.match(await ask("/all/end-at-once", { method: "POST", body: "once more" }), /second$/);
    assert.match(second.last, /^POST \/end-at-once [\s\S]*\r\n\r\nonce more$/);
    assert.match(await ask("/all/status-500", { method: "PATCH", body: "x" }), /second$/);
    assert.match(await ask("/none/end-at-once"), BAD_GATEWAY);
  });

  test("statuses lead to the next server when they are listed, for requests that may be repeated, while one is left", async () => {
    for (const status of [403, 404, 429, 500, 502, 503, 504]) {
      assert.match(await ask(`/any/status-${status}`), /second$/, String(status));
      assert.match(await ask(`/two/status-${status}`), new RegExp(`^HTTP/1.1 ${status} Whatever[\\s\\S]*first$`));
      assert.match(await ask(`/any/status-${status}`, { method: "POST", body: "x" }), /first$/);
    }
    assert.match(await ask("/any/status-501"), /first$/);
    await logged("up.log", /GET \/any\/status-404\|200\|404, 200\|/);
  });

  test("a status that leads on is a failure of its server, but for 403 and 404", async () => {
    for (let i = 0; i < 2; i++) assert.match(await ask("/lenient/status-404"), /second$/);
    await logged("up.log", /(?:GET \/lenient\/status-404\|200\|404, 200\|.*\n){2}/);
    for (let i = 0; i < 2; i++) assert.match(await ask("/strict/status-500"), /second$/);
    await logged("up.log", /GET \/strict\/status-500\|200\|500, 200\|.*\nGET \/strict\/status-500\|200\|200\|/);
    await logged("error.log", /upstream server temporarily disabled/);
  });

  test("a server that does not take a connection within proxy_connect_timeout is passed over, by a POST too", async () => {
    assert.match(await ask("/deaf/x"), /second$/);
    assert.match(await ask("/deaf/x", { method: "POST", body: "b" }), /second$/);
    assert.match(await ask("/deaf-alone/x"), TIME_OUT);
    await logged("error.log", /upstream timed out \(110: Connection timed out\) while connecting to upstream/);
  });

  test("no more servers are asked than proxy_next_upstream_tries and proxy_next_upstream_timeout allow", async () => {
    assert.match(await ask("/once/end-at-once"), BAD_GATEWAY);
    assert.match(await ask("/in-time/silence"), TIME_OUT);
    assert.match(await ask("/in-time/end-at-once"), /second$/);
  });

  test("a kept connection that dies under a request costs nothing if the request may be repeated", async () => {
    assert.match(await ask("/dies-when-kept"), /fine$/);
    assert.match(await ask("/dies-when-kept"), /^HTTP\/1\.1 200 OK[\s\S]*fine$/);
    await logged("up.log", /GET \/dies-when-kept\|200\|502, 200\|/);
    assert.match(await ask("/dies-when-kept", { method: "POST", body: "x" }), BAD_GATEWAY);
  });

  test("a connection is kept only when the answer says nothing against it", async () => {
    for (const path of ["/says-close", "/http-1.0"]) {
      assert.match(await ask(path), /fine$/);
      const { connections } = first;
      assert.match(await ask("/fine"), /fine$/);
      assert.equal(first.connections, connections + 1, path);
    }
    const { connections } = first;
    assert.match(await ask("/fine"), /fine$/);
    assert.equal(first.connections, connections);
  });

  test("what comes behind a whole answer is cut, and its connection is not used again", async () => {
    for (const path of ["/excess", "/chunk-excess", "/later", "/end-later"]) {
      const before = await ask(path);
      assert.doesNotMatch(before, /excess|evil/, path);
      await sleep(30);
      const { connections } = first;
      assert.match(await ask("/fine"), /fine$/);
      assert.equal(first.connections, connections + 1, path);
    }
  });

  test("a body that can't be there is not awaited: HEAD, 304", async () => {
    assert.match(await ask("/head-length", { method: "HEAD" }), /Content-Length: 1000\r\n[\s\S]*\r\n\r\n$/);
    assert.match(await ask("/not-modified"), /^HTTP\/1\.1 304 [\s\S]*\r\n\r\n$/);
  });

  test("a connection that has brought a body where there is none is not used again", async () => {
    // nginx uses it again when the body has come in one piece with the head.
    assert.match(await ask("/head-with-body", { method: "HEAD" }), /Content-Length: 10\r\n[\s\S]*\r\n\r\n$/);
    const { connections } = first;
    assert.match(await ask("/fine"), /fine$/);
    assert.equal(first.connections, connections + 1);
  });

  for (const way of ["unbuffered", "in-memory"]) {
    test(`a back end is not read faster than its client reads, and all of it arrives (${way})`, async () => {
      const talker = await Talker.connect(server.port);
      talker.socket.pause();
      talker.send(`GET /${way}/flood HTTP/1.0\r\nHost: x\r\n\r\n`);
      await sleep(500);
      const waiting = flooding?.writableLength ?? 0;
      assert.ok(waiting > 32 * MEGABYTE, `${waiting} bytes still wait`);
      await sleep(300);
      assert.equal(flooding?.writableLength, waiting, "nothing more is taken");
      talker.socket.resume();
      await talker.closed;
      assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, 64 * MEGABYTE);
    });

    test(`the end of a back end's connection is not taken for the end of what waits in it (${way})`, async () => {
      const talker = await Talker.connect(server.port);
      talker.socket.pause();
      talker.send(`GET /${way}/large-to-end HTTP/1.0\r\nHost: x\r\n\r\n`);
      await sleep(200);
      talker.socket.resume();
      await talker.closed;
      assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, 16 * MEGABYTE);
    });
  }

  test("what a back end has sent before it broke off reaches a slow client too", async () => {
    const talker = await Talker.connect(server.port);
    talker.socket.pause();
    talker.send("GET /buffered/breaks HTTP/1.1\r\nHost: x\r\n\r\n");
    await logged("error.log", /prematurely closed connection while reading upstream.*"GET \/buffered\/breaks /);
    talker.socket.resume();
    await talker.closed;
    assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, 16 * MEGABYTE);
  });

  test("the time for reading begins anew when a slow client has taken what there was", async () => {
    const talker = await Talker.connect(server.port);
    talker.socket.pause();
    talker.send("GET /stalls HTTP/1.0\r\nHost: x\r\n\r\n");
    await sleep(300);
    talker.socket.resume();
    await talker.closed;
    assert.equal(talker.text.length - talker.text.indexOf("\r\n\r\n") - 4, 16 * MEGABYTE);
    await logged("error.log", /upstream timed out .*"GET \/stalls /);
  });

  test("a failure of our own harms no server: 500, and nobody is asked or disabled", async () => {
    for (let i = 0; i < 2; i++) assert.match(await ask("/foreign/fine"), /^HTTP\/1\.1 500 /);
    await logged("error.log", /\[crit\].*bind\(192\.0\.2\.1\) failed \(99: .*while connecting to upstream/);
    assert.match(await ask("/own/fine"), /fine$/);
    assert.match(server.log("up.log"), /GET \/foreign\/fine\|500\|/);
  });

  test("proxy_read_timeout is the time between two reads, not that of the whole answer", async () => {
    assert.match(await ask("/slow-body"), /\r\n\r\nxx$/);
    assert.match(await ask("/buffered/slow-body"), /\r\n\r\nxx$/);
  });

  test("an answer until the end of its connection is whole when that ends", async () => {
    assert.match(await ask("/half-close"), /\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n$/);
  });

  test("a client that closes its side takes its request back: 499, and the back end's connection ends", async () => {
    const talker = await Talker.connect(server.port);
    talker.socket.allowHalfOpen = true;
    talker.end("GET /wait?half HTTP/1.1\r\nHost: x\r\n\r\n");
    await talker.closed;
    assert.equal(talker.text, "");
    await logged("up.log", /GET \/wait\|499\|-\|/);
    await logged("error.log", /client prematurely closed connection, so upstream connection is closed too/);
  });

  test("a client that goes is not missed with proxy_ignore_client_abort: the back end's answer is read", async () => {
    const talker = await Talker.connect(server.port);
    talker.send("GET /patient/slow-body HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(30);
    talker.socket.destroy();
    await logged("up.log", /GET \/patient\/slow-body\|(200|499)\|200\|/);
  });

  test("a client that takes nothing for send_timeout is given up, and the back end with it", async () => {
    const talker = await Talker.connect(server.port);
    talker.socket.pause();
    talker.send("GET /send-time/slow-client HTTP/1.1\r\nHost: x\r\n\r\n");
    await logged("error.log", /client timed out \(110: Connection timed out\) while sending/);
    await logged("up.log", /GET \/send-time\/slow-client\|(200|408)\|200\|/);
    talker.socket.destroy();
  });
});
