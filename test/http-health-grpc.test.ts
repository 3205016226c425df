/** Health checks of gRPC servers: what is asked, what is taken for healthy, and what becomes of servers that do anything else. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok } from "./support/back-end.ts";
import {
  answers,
  type CheckReply,
  GrpcServer,
  grpcMessage,
  notServing,
  RawGrpcServer,
  type SeenCheck,
  serving,
  unimplemented,
} from "./support/grpc-server.ts";

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await what()) return;
    await sleep(30);
  }
  assert.fail(`did not come: ${what}`);
}

const GRPC = "interval=50ms type=grpc";

describe("health_check type=grpc", { timeout: 60_000 }, () => {
  let grpc: GrpcServer;
  let narrow: GrpcServer;
  let raw: RawGrpcServer;
  let rawKept: RawGrpcServer;
  let silent: net.Server;
  let server: TestServer;
  /** Requests go to where nobody speaks gRPC: whether they do is what a peer's health decides. */
  let front: BackEnd;

  before(async () => {
    [grpc, narrow, raw, rawKept] = await Promise.all([
      GrpcServer.listen(),
      // Both windows are too small for the message; and it remembers no fields.
      GrpcServer.listen({ initialWindowSize: 4, headerTableSize: 0 }),
      RawGrpcServer.listen(),
      RawGrpcServer.listen(),
    ]);
    front = await BackEnd.listen(() => ok("front"));
    // The first checks come ahead of the first test.
    beWell();
    silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const port = (address: string): string => address.split(":")[1] as string;
    const silentPort = (silent.address() as net.AddressInfo).port;
    const place = (name: string, check: string, lines = ""): string =>
      `location /${name}/ { proxy_pass http://${name}/; proxy_read_timeout 2s; ${lines} health_check ${check}; }`;
    const block = (name: string): string => `upstream ${name} { zone ${name} 64k; server ${front.address}; }`;
    const names = ["plain", "kept", "service", "status", "narrow", "raw", "rawkept", "silent"];
    server = await TestServer.start(
      `${names.map(block).join("\n")}
      server { listen 127.0.0.1:%PORT%;
        ${place("plain", `mandatory port=${port(grpc.address)} ${GRPC}`)}
        ${place("kept", `keepalive_time=1h port=${port(grpc.address)} ${GRPC}`)}
        ${place("service", `port=${port(grpc.address)} ${GRPC} grpc_service=my.Service`, 'proxy_set_header Host grpc.example; proxy_set_header Authorization "Bearer x"; proxy_set_header Connection close; proxy_set_header X-Empty "";')}
        ${place("status", `port=${port(grpc.address)} ${GRPC} grpc_status=12`)}
        ${place("narrow", `keepalive_time=1h port=${port(narrow.address)} ${GRPC} grpc_service=${"n".repeat(200)}`)}
        ${place("raw", `port=${port(raw.address)} ${GRPC}`)}
        ${place("rawkept", `keepalive_time=1h port=${port(rawKept.address)} ${GRPC}`)}
        ${place("silent", `port=${silentPort} ${GRPC}`, "proxy_read_timeout 300ms;").replace("proxy_read_timeout 2s; ", "")}
      }`,
    );
  });
  after(async () => {
    await server.stop();
    grpc.close();
    narrow.close();
    raw.close();
    rawKept.close();
    silent.close();
    front.close();
  });
  const beWell = (): void => {
    grpc.reply = serving;
    raw.onAsked = (socket, time) => socket.write(whole(time));
    rawKept.onAsked = raw.onAsked;
  };
  beforeEach(beWell);

  /** The peer gets requests. */
  const isWell = async (name: string): Promise<boolean> => (await server.get(`/${name}/`)).endsWith("front");
  const becomes = (name: string, well: boolean): Promise<void> => until(async () => (await isWell(name)) === well);
  const count = (text: string): number => server.log("error.log").split(text).length - 1;
  const checksOf = (authority: string): readonly SeenCheck[] =>
    grpc.seen.filter(({ headers }) => headers[":authority"] === authority);

  /** SETTINGS, then an answer with trailers on the stream of the check that counts so, from 0. */
  const settings = (time: number): Buffer => Buffer.from(time === 0 ? "000000040000000000" : "", "hex");
  const id = (time: number): string => (2 * time + 1).toString(16).padStart(8, "0");
  const frames = (...parts: string[]): Buffer => Buffer.from(parts.join("").replaceAll(" ", ""), "hex");
  // ":status: 200" is 88; a trailer "grpc-status: 0" as a literal.
  const head = (time: number): string => `000001 01 04 ${id(time)} 88`;
  const data = (time: number): string => `000007 00 00 ${id(time)} 0000000002 0801`;
  const trailer = (time: number): string =>
    `00000f 01 05 ${id(time)} 00 0b ${Buffer.from("grpc-status").toString("hex")} 01 30`;
  const whole = (time: number): Buffer =>
    Buffer.concat([settings(time), frames(head(time), data(time), trailer(time))]);

  test("a server that is SERVING is healthy; one that is not is not asked for anything until it is", async () => {
    await becomes("plain", true);
    grpc.reply = notServing;
    await becomes("plain", false);
    assert.ok(
      count(
        `peer is unhealthy while checking grpc response, health check "" of peer ${front.address} in upstream "plain"`,
      ) > 0,
    );
    grpc.reply = serving;
    await becomes("plain", true);
    assert.ok(count(`peer is healthy, health check "" of peer ${front.address} in upstream "plain"`) > 0);
  });

  test("the whole server is asked as gRPC asks, on a connection of its own each time", async () => {
    await until(() => checksOf("plain").length > 2);
    const { headers, message } = checksOf("plain")[0] as SeenCheck;
    assert.deepEqual(Object.entries(headers), [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/grpc.health.v1.Health/Check"],
      [":authority", "plain"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ]);
    assert.equal(message, "0000000000");
    const connections = checksOf("plain").map(({ connection }) => connection);
    assert.equal(new Set(connections).size, connections.length);
  });

  test("grpc_service names the service; the location's proxy_set_header go along, those about the connection do not", async () => {
    await until(() => checksOf("grpc.example").length > 0);
    const { headers, message } = checksOf("grpc.example")[0] as SeenCheck;
    assert.equal(message, `000000000c0a0a${Buffer.from("my.Service").toString("hex")}`);
    assert.deepEqual(Object.keys(headers).slice(4), ["content-type", "te", "authorization"]);
    assert.equal(headers.authorization, "Bearer x");
  });

  test("grpc_status takes a server for healthy that does not know the protocol, and no other status", async () => {
    grpc.reply = unimplemented;
    await becomes("plain", false);
    await becomes("status", true);
    grpc.reply = answers(14);
    await becomes("status", false);
    assert.ok(count(`while checking grpc status, health check "" of peer ${front.address} in upstream "status"`) > 0);
    grpc.reply = unimplemented;
    await becomes("status", true);
    grpc.reply = serving;
    await sleep(200);
    assert.ok(await isWell("status"), "to know the protocol is no fault");
    grpc.reply = notServing;
    await becomes("status", false);
  });

  test("keepalive_time: checks are streams of one connection, and pings are answered in between", async () => {
    await until(() => checksOf("kept").length > 5);
    const mine = checksOf("kept").map(({ connection }) => connection);
    assert.equal(new Set(mine.slice(-3)).size, 1);
    const pongs = await Promise.all(
      [...grpc.sessions].map(
        (session) =>
          new Promise<boolean>((resolve) => {
            session.once("close", () => resolve(false));
            session.ping((error) => resolve(error === null));
          }),
      ),
    );
    assert.ok(pongs.includes(true));
  });

  test("a kept connection that the server gives up, in whatever way, is no fault of the server", async () => {
    await becomes("kept", true);
    const before = count('in upstream "kept"');
    for (const leave of ["goaway", "close", "destroy"] as const) {
      const seen = checksOf("kept").length;
      for (const session of grpc.sessions) {
        if (session.destroyed) continue;
        if (leave === "goaway") session.goaway(0);
        else if (leave === "close") session.close();
        else session.destroy();
      }
      await until(() => checksOf("kept").length > seen + 2);
    }
    assert.equal(count('in upstream "kept"') - before, 0, server.log("error.log"));
  });

  test("a server with windows smaller than the question is sent it piece by piece", async () => {
    await until(() => narrow.seen.length > 3);
    assert.ok(narrow.seen.every(({ message }) => message === `00000000cb0ac801${"6e".repeat(200)}`));
    assert.equal(narrow.connections, 1);
    assert.ok(await isWell("narrow"));
  });

  test("an answer may come in any pieces, with padding, other frames, interim answers, and its fields in several frames", async () => {
    await becomes("raw", true);
    const before = count('in upstream "raw"');
    const unknown = "000003 fa 00 00000000 616263";
    const ping = "000008 06 00 00000000 0102030405060708";
    const early = `000005 01 04 ${id(0)} 08 03 313033`;
    const split = `000000 01 00 ${id(0)} 000001 09 04 ${id(0)} 88`;
    const padded = `00000a 00 08 ${id(0)} 02 0000000002 0801 0000`;
    const odd = Buffer.concat([settings(0), frames(unknown, early, ping, split, unknown, padded, trailer(0))]);
    let asked = 0;
    raw.onAsked = async (socket) => {
      asked++;
      for (let at = 0; at < odd.length; at += 3) {
        socket.write(odd.subarray(at, at + 3));
        await sleep(1);
      }
    };
    await until(() => asked > 6);
    await sleep(100);
    assert.equal(count('in upstream "raw"') - before, 0, server.log("error.log"));
  });

  // What a server may do instead, with what the log says of it.
  const FAULTS: readonly (readonly [what: string, reply: CheckReply | Buffer, log: string])[] = [
    [
      "a status of HTTP",
      (stream) => stream.respond({ ":status": 503 }, { endStream: true }),
      "while checking status code",
    ],
    [
      "a large page of another server",
      (stream) => {
        stream.respond({ ":status": 404 });
        stream.end("x".repeat(100_000));
      },
      "while checking status code",
    ],
    [
      "no status of gRPC",
      (stream) => stream.respond({ ":status": 200 }, { endStream: true }),
      "while checking grpc status",
    ],
    ["UNIMPLEMENTED", unimplemented, "while checking grpc status"],
    ["a status that is no number", answers(Number.NaN), "while checking grpc status"],
    ["no message", answers(0), "while checking grpc response"],
    ["SERVICE_UNKNOWN", answers(0, grpcMessage(8, 3)), "while checking grpc response"],
    ["two messages", answers(0, Buffer.concat([grpcMessage(8, 1), grpcMessage(8, 1)])), "while checking grpc response"],
    ["a compressed message", answers(0, Buffer.from([1, 0, 0, 0, 2, 8, 1])), "while checking grpc response"],
    ["a message that is too large", answers(0, Buffer.alloc(20_000)), "upstream sent too large response"],
    [
      "fields that are too large",
      answers(0, grpcMessage(8, 1), { "x-large": "x".repeat(10_000) }),
      "upstream sent too large http2 header",
    ],
    ["RST_STREAM", (stream) => stream.close(8), "upstream rejected request with error 8"],
    ["RST_STREAM of REFUSED_STREAM", (stream) => stream.close(7), "upstream rejected request with error 7"],
    [
      "GOAWAY",
      Buffer.concat([settings(0), frames("000008 07 00 00000000 00000000 00000002")]),
      "upstream sent goaway with error 2",
    ],
    ["garbage", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), "upstream sent too large http2 frame: 4740180"],
    [
      "frames without SETTINGS",
      frames("000008 06 00 00000000 0102030405060708"),
      "upstream sent unexpected http2 frame: 6",
    ],
    [
      "a frame that is wrong",
      Buffer.concat([settings(0), frames("000003 03 00 00000001 000000")]),
      "upstream sent invalid http2 frame: RST_STREAM has a wrong length",
    ],
    ["settings that are wrong", frames("000006 04 00 00000000 0005 00000001"), "upstream sent invalid http2 settings"],
    [
      "fields that can't be decoded",
      Buffer.concat([settings(0), frames("000001 01 04 00000001 ff")]),
      "upstream sent invalid http2 header: a malformed index",
    ],
    [
      "a name in capitals",
      Buffer.concat([settings(0), frames("000005 01 04 00000001 88 00 01 41 00")]),
      "upstream sent invalid header",
    ],
    [
      "two statuses",
      Buffer.concat([settings(0), frames("000002 01 04 00000001 88 88")]),
      "upstream sent duplicate :status header",
    ],
    [
      "no status",
      Buffer.concat([settings(0), frames("000004 01 04 00000001 00 01 61 00")]),
      "upstream sent no :status header",
    ],
    [
      "a status in the trailers",
      Buffer.concat([settings(0), frames(head(0), "000001 01 05 00000001 88")]),
      "upstream sent invalid trailer",
    ],
    [
      "trailers that end nothing",
      Buffer.concat([
        settings(0),
        frames(head(0), head(0).replace("88", "40").replace("000001 01", "000004 01"), "0161 00"),
      ]),
      "upstream sent trailer without end stream flag",
    ],
    [
      "data before the fields",
      Buffer.concat([settings(0), frames(data(0))]),
      "upstream sent unexpected http2 frame: 0",
    ],
    [
      "fields of another stream",
      Buffer.concat([settings(0), frames(head(5))]),
      "upstream sent frame for unknown stream 11",
    ],
    [
      "a promise",
      Buffer.concat([settings(0), frames("000005 05 04 00000001 00000002 88")]),
      "upstream sent unexpected push promise frame",
    ],
    [
      "a window beyond bounds",
      Buffer.concat([settings(0), frames("000004 08 00 00000000 7fffffff")]),
      "upstream sent too large window update",
    ],
    [
      "too many frames",
      Buffer.concat([
        settings(0),
        ...Array.from({ length: 2000 }, () => frames("000008 06 00 00000000 0102030405060708")),
      ]),
      "upstream sent too many http2 frames",
    ],
  ];

  for (const [what, reply, log] of FAULTS)
    test(`${what} is no answer`, async () => {
      const name = Buffer.isBuffer(reply) ? "raw" : "plain";
      await becomes(name, true);
      const before = count(log);
      if (Buffer.isBuffer(reply)) raw.onAsked = (socket) => socket.write(reply);
      else grpc.reply = reply;
      await becomes(name, false);
      assert.ok(count(log) > before, server.log("error.log").slice(-2000));
    });

  test("a server that closes or resets the connection has not answered", async () => {
    for (const [leave, log] of [
      ["end", "upstream prematurely closed connection while reading response header from upstream"],
      ["resetAndDestroy", "recv() failed (104: Connection reset by peer) while reading response header from upstream"],
    ] as const) {
      await becomes("raw", true);
      const before = count(log);
      raw.onAsked = (socket) => socket[leave]();
      await becomes("raw", false);
      assert.ok(count(log) > before, server.log("error.log").slice(-2000));
      raw.onAsked = (socket, time) => socket.write(whole(time));
    }
  });

  test("a kept connection that ends when it is asked again is no fault: another one is asked", async () => {
    await becomes("rawkept", true);
    const before = count('in upstream "rawkept"');
    let ends = 0;
    rawKept.onAsked = (socket, time) => {
      if (time === 0) socket.write(whole(0));
      else if (++ends % 2 === 0) socket.end();
      else socket.end(frames(`000008 07 00 00000000 ${id(0)} 00000000`));
    };
    await until(() => ends > 4);
    assert.equal(count('in upstream "rawkept"') - before, 0, server.log("error.log"));
  });

  test("GOAWAY behind a check that the server still answers is no fault, and ends the connection", async () => {
    await becomes("rawkept", true);
    const before = count('in upstream "rawkept"');
    const left = new Set<net.Socket>();
    let reused = 0;
    rawKept.onAsked = (socket, time) => {
      if (left.has(socket)) reused++;
      left.add(socket);
      socket.write(Buffer.concat([settings(time), frames(`000008 07 00 00000000 ${id(time)} 00000000`)]));
      socket.write(whole(time).subarray(settings(time).length));
    };
    await until(() => left.size > 4);
    assert.equal(reused, 0);
    assert.equal(count('in upstream "rawkept"') - before, 0, server.log("error.log"));
  });

  test("a server that says nothing, and one that stops in the middle, are given up in time", async () => {
    await becomes("silent", false);
    assert.ok(
      count(
        'upstream timed out (110: Connection timed out) while reading response header from upstream, health check ""',
      ) > 0,
    );
    await becomes("raw", true);
    raw.onAsked = (socket) => socket.write(Buffer.concat([settings(0), frames(head(0), data(0))]));
    await becomes("raw", false);
    assert.ok(count('upstream timed out (110: Connection timed out) while reading upstream, health check ""') > 0);
  });

  test("a kept connection on which a server goes wrong while nobody asks is closed, and another is opened", async () => {
    await becomes("rawkept", true);
    const before = count('in upstream "rawkept"');
    let fresh = 0;
    rawKept.onAsked = (socket, time) => {
      if (time === 0) fresh++;
      socket.write(whole(time));
      setTimeout(() => socket.write("garbage, garbage"), 10);
    };
    await until(() => fresh > 4);
    assert.equal(count('in upstream "rawkept"') - before, 0, server.log("error.log"));
  });
});
