/** Request bodies that are passed on as they come (`proxy_request_buffering off`). */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { Talker } from "./support/talker.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A back end whose connections a test has in its hands, one after another. */
class Hands {
  readonly server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    this.all.push(socket);
    this.waiting.push(new Hand(socket));
  });
  waiting: Hand[] = [];
  private readonly all: net.Socket[] = [];

  /** Ends what an earlier test has left open. */
  clear(): void {
    for (const socket of this.all.splice(0)) socket.destroy();
    this.waiting = [];
  }

  async next(): Promise<Hand> {
    for (let tries = 0; tries < 400; tries++) {
      const hand = this.waiting.shift();
      if (hand !== undefined) return hand;
      await sleep(5);
    }
    throw new Error("no connection has come");
  }
}

class Hand {
  readonly socket: net.Socket;
  text = "";
  ended = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (data) => (this.text += data.toString("latin1")));
    socket.on("end", () => (this.ended = true));
    socket.on("close", () => (this.ended = true));
  }

  async until(pattern: RegExp): Promise<string> {
    for (let tries = 0; tries < 400 && !pattern.test(this.text); tries++) await sleep(5);
    assert.match(this.text, pattern);
    return this.text;
  }

  get body(): string {
    return this.text.slice(this.text.indexOf("\r\n\r\n") + 4);
  }
}

describe("proxy_request_buffering off", { timeout: 60_000 }, () => {
  const hands = new Hands();
  const spare = new Hands();
  let server: TestServer;

  before(async () => {
    for (const { server: one } of [hands, spare])
      await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
    const port = (one: Hands): number => (one.server.address() as net.AddressInfo).port;
    server = await TestServer.start(
      `log_format up '$uri|$status|$upstream_addr|$upstream_status|$upstream_bytes_sent|$request_body'; access_log logs/up.log up;
      upstream two { server 127.0.0.1:${port(hands)} max_fails=0; server 127.0.0.1:${port(spare)} backup; }
      upstream refusing { server 127.0.0.1:1; server 127.0.0.1:${port(hands)} backup; }
      server { listen 127.0.0.1:%PORT%; proxy_request_buffering off; keepalive_timeout 10s; client_max_body_size 100m;
        proxy_next_upstream error timeout http_500 non_idempotent;
        location / { proxy_pass http://two; }
        location /refusing { proxy_pass http://refusing; }
        location /old { proxy_pass http://two; proxy_http_version 1.0; }
        location /limited { proxy_pass http://two; client_max_body_size 10; }
        location /impatient { proxy_pass http://two; client_body_timeout 300ms; proxy_send_timeout 300ms; }
        location /both { proxy_pass http://two; proxy_buffering off; }
        location /buffered { proxy_pass http://two; proxy_request_buffering on; }
      }`,
    );
  });
  beforeEach(async () => {
    hands.clear();
    spare.clear();
    // The server learns that the connections it has kept are gone.
    await sleep(20);
  });
  after(async () => {
    await server.stop();
    for (const one of [hands, spare]) {
      one.clear();
      one.server.close();
    }
  });

  const post = async (path: string, head: string, body = ""): Promise<Talker> => {
    const talker = await Talker.connect(server.port);
    talker.send(`POST ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);
    return talker;
  };
  const logged = async (name: string, text: RegExp): Promise<void> => {
    for (let tries = 0; tries < 100 && !text.test(server.log(name)); tries++) await sleep(20);
    assert.match(server.log(name), text);
  };

  test("the head goes before the body has come, with its length, and then each part", async () => {
    const talker = await post("/parts", "Content-Length: 10");
    const hand = await hands.next();
    await hand.until(/\r\nContent-Length: 10\r\n\r\n$/);
    talker.send("01234");
    await hand.until(/\r\n\r\n01234$/);
    talker.send("56789");
    await hand.until(/\r\n\r\n0123456789$/);
    hand.socket.write(OK);
    await talker.until(/200 OK[\s\S]*\r\n\r\nok$/);
    assert.doesNotMatch(hand.text, /chunked/i);
  });

  test("a body of unknown length goes in chunks, one for what has come at once", async () => {
    const talker = await post("/chunks", "Transfer-Encoding: chunked", "5\r\n01234\r\n2\r\n56\r\n");
    const hand = await hands.next();
    await hand.until(/\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n0123456\r\n$/);
    assert.doesNotMatch(hand.text, /content-length/i);
    talker.send("1\r\nx\r\n0\r\n\r\n");
    await hand.until(/\r\n\r\n7\r\n0123456\r\n1\r\nx\r\n0\r\n\r\n$/);
    hand.socket.write(OK);
    await talker.until(/\r\n\r\nok$/);
    talker.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    hand.text = "";
    await hand.until(/^GET \/next /);
    hand.socket.write(OK);
    await talker.until(/ok[\s\S]*ok$/);
  });

  test("a body that has come with its head is repeated like any other, and is known as $request_body", async () => {
    const talker = await post("/whole", "Transfer-Encoding: chunked", "5\r\n01234\r\n0\r\n\r\n");
    const first = await hands.next();
    await first.until(/\r\nContent-Length: 5\r\n\r\n01234$/);
    first.socket.destroy();
    const second = await spare.next();
    await second.until(/\r\nContent-Length: 5\r\n\r\n01234$/);
    second.socket.write(OK);
    await talker.until(/ok$/);
    await logged("up.log", /\/whole\|200\|127.0.0.1:\d+, 127.0.0.1:\d+\|502, 200\|.*\|01234$/m);
  });

  test("nothing that was sent is repeated: neither a connection that fails nor a 500 leads to another server", async () => {
    const talker = await post("/once", "Content-Length: 10", "01");
    const hand = await hands.next();
    await hand.until(/\r\n\r\n01$/);
    hand.socket.resetAndDestroy();
    await talker.until(/^HTTP\/1\.1 502 /);
    const other = await post("/once-500", "Content-Length: 10", "01");
    const again = await hands.next();
    await again.until(/\r\n\r\n01$/);
    again.socket.write("HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad");
    await other.until(/^HTTP\/1\.1 500 Bad[\s\S]*bad$/);
    assert.equal(spare.waiting.length, 0);
  });

  test("a server that can't be connected to costs nothing: the next one gets it all", async () => {
    const talker = await post("/refusing", "Content-Length: 10", "01234");
    const hand = await hands.next();
    await hand.until(/\r\n\r\n01234$/);
    talker.send("56789");
    await hand.until(/\r\n\r\n0123456789$/);
    hand.socket.write(OK);
    await talker.until(/ok$/);
  });

  test("goes through sockets that are full, and is not taken faster than it is passed on", async () => {
    const size = 64 * 1024 * 1024;
    const talker = await post("/large", `Content-Length: ${size}`);
    const hand = await hands.next();
    await hand.until(/\r\n\r\n$/);
    hand.socket.pause();
    hand.socket.removeAllListeners("data");
    const pattern = Buffer.alloc(1 << 20, "0123456789abcdef");
    for (let i = 0; i < 64; i++) talker.socket.write(pattern);
    await sleep(400);
    assert.ok(talker.socket.writableLength > size / 2, `${talker.socket.writableLength} bytes still wait`);
    let received = 0;
    let wrong = 0;
    hand.socket.on("data", (data: Buffer) => {
      for (let at = 0; at < data.length; at += 4096)
        if (data[at] !== pattern[(received + at) % pattern.length]) wrong++;
      received += data.length;
    });
    hand.socket.resume();
    while (received < size) await sleep(20);
    assert.deepEqual([received, wrong], [size, 0]);
    hand.socket.write(OK);
    await talker.until(/ok$/);
  });

  test("an answer that comes early ends the upstream's connection; the client may end its body, and ask again", async () => {
    const talker = await post("/early", "Content-Length: 100", "01");
    const hand = await hands.next();
    await hand.until(/\r\n\r\n01$/);
    hand.socket.write(OK);
    await talker.until(/ok$/);
    for (let tries = 0; tries < 100 && !hand.ended; tries++) await sleep(10);
    assert.ok(hand.ended, "a connection with half a request is of no use");
    talker.send(`${"x".repeat(98)}GET /again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const again = await hands.next();
    await again.until(/^GET \/again /);
    again.socket.write(OK);
    await talker.closed;
    assert.equal(talker.text.match(/HTTP\/1.1 200 OK/g)?.length, 2);
  });

  test("a body that waits while its answer comes early is thrown away behind it", async () => {
    const size = 20_000_000;
    const talker = await post("/early", `Content-Length: ${size}`, "x".repeat(size));
    const hand = await hands.next();
    hand.socket.pause();
    hand.socket.write(OK);
    await talker.until(/ok$/);
    talker.send("GET /again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const again = await hands.next();
    await again.until(/^GET \/again /);
    again.socket.write(OK);
    await talker.closed;
    assert.equal(talker.text.match(/HTTP\/1.1 200 OK/g)?.length, 2);
  });

  test("an answer that begins early and ends late lets the body go on", async () => {
    const talker = await post("/both", "Content-Length: 10", "01234");
    const hand = await hands.next();
    await hand.until(/01234$/);
    hand.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
    await talker.until(/abc$/);
    talker.send("56789");
    await hand.until(/0123456789$/);
    hand.socket.write("def");
    await talker.until(/abcdef$/);
    talker.send("GET /behind HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const behind = (await Promise.race([hands.next(), hand.until(/GET \/behind/).then(() => hand)])) as Hand;
    await behind.until(/GET \/behind/);
    behind.socket.write(OK);
    await talker.until(/ok$/);
  });

  test("a client that goes in the middle takes the upstream's connection along", async () => {
    const talker = await post("/gone", "Content-Length: 10", "01");
    const hand = await hands.next();
    await hand.until(/01$/);
    talker.socket.destroy();
    for (let tries = 0; tries < 100 && !hand.ended; tries++) await sleep(10);
    assert.ok(hand.ended);
    await logged("up.log", /\/gone\|400\|/);
  });

  test("a client that sends nothing for client_body_timeout is given up", async () => {
    const talker = await post("/impatient/client", "Content-Length: 10", "01");
    const hand = await hands.next();
    await hand.until(/01$/);
    await talker.closed;
    await logged("up.log", /\/impatient\/client\|408\|/);
  });

  test("a server that takes nothing for proxy_send_timeout is given up", async () => {
    const talker = await post("/impatient/server", `Content-Length: ${1 << 26}`);
    const hand = await hands.next();
    hand.socket.pause();
    talker.socket.write(Buffer.alloc(1 << 26));
    await talker.until(/^HTTP\/1\.1 504 /);
    await logged("error.log", /upstream timed out \(110: Connection timed out\) while sending request to upstream/);
  });

  test("a chunked body that is too large, or malformed, is refused in the middle", async () => {
    const large = await post("/limited", "Transfer-Encoding: chunked", "8\r\n01234567\r\n");
    await (await hands.next()).until(/01234567/);
    large.send("8\r\n01234567\r\n");
    await large.until(/^HTTP\/1\.1 413 /);
    const bad = await post("/bad", "Transfer-Encoding: chunked", "1\r\nx\r\n");
    await (await hands.next()).until(/1\r\nx\r\n$/);
    bad.send("zz\r\n");
    await bad.until(/^HTTP\/1\.1 400 /);
  });

  test("HTTP/1.0 has no chunks: a body of unknown length is read whole for it", async () => {
    const talker = await post("/old", "Transfer-Encoding: chunked", "5\r\n01234\r\n");
    await sleep(50);
    assert.equal(hands.waiting.length, 0);
    talker.send("0\r\n\r\n");
    const hand = await hands.next();
    await hand.until(/^POST \/old HTTP\/1\.0\r\n[\s\S]*Content-Length: 5\r\n[\s\S]*01234$/);
    hand.socket.end("HTTP/1.0 200 OK\r\n\r\nold");
    await talker.until(/old/);
  });

  test("without it the server hears of a request when its body is whole", async () => {
    const talker = await post("/buffered", "Content-Length: 10", "01234");
    await sleep(50);
    assert.equal(hands.waiting.length, 0);
    talker.send("56789");
    const hand = await hands.next();
    await hand.until(/0123456789$/);
    hand.socket.end(OK);
    await once(talker.socket, "data");
  });

  test("100 Continue is said before the body is awaited", async () => {
    const talker = await post("/expect", "Content-Length: 5\r\nExpect: 100-continue");
    await talker.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    talker.send("01234");
    const hand = await hands.next();
    await hand.until(/01234$/);
    assert.doesNotMatch(hand.text, /expect: /i);
    hand.socket.write(OK);
    await talker.until(/ok$/);
  });
});
