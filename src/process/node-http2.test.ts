/** Node's HTTP/2 (nghttp2) as the judge of ours in `src/wire/http2/`: each reads what the other writes, and both refuse the same. */
import assert from "node:assert/strict";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import { FieldBlock } from "../wire/http2/field-block.ts";
import { FRAME_DATA, FRAME_FAULT, FRAME_MORE, FRAME_WHOLE, FrameReader } from "../wire/http2/frame-reader.ts";
import {
  blockRoom,
  writeData,
  writeGoaway,
  writeHeaders,
  writePing,
  writeRstStream,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
} from "../wire/http2/frame-writer.ts";
import { WRONG_FRAMES } from "../wire/http2/frames.cases.ts";
import { HPACK_END, HPACK_FAULT, HPACK_FIELD, HpackDecoder } from "../wire/http2/hpack-decoder.ts";
import { BEGIN_ROOM, fieldRoom, HpackEncoder, PASS, REMEMBER, SECRET } from "../wire/http2/hpack-encoder.ts";
import * as wire from "../wire/http2/protocol.ts";
import { PeerSettings } from "../wire/http2/settings.ts";

type Field = readonly [name: string, value: string];

/** An end of a connection that speaks with nothing but our codec, as far as these tests need it. */
class CodecPeer {
  readonly settings = new PeerSettings();
  readonly goaways: number[] = [];
  pings = 0;
  onBlock: (streamId: number, fields: readonly Field[], isLast: boolean) => void = () => {};
  onBody: (streamId: number, body: string) => void = () => {};
  onReset: (streamId: number, error: number) => void = () => {};
  readonly #socket: net.Socket;
  readonly #reader = new FrameReader();
  readonly #block = new FieldBlock(1 << 20);
  readonly #decoder = new HpackDecoder();
  readonly #encoder = new HpackEncoder();
  readonly #bodies = new Map<number, string>();
  #isLast = false;
  #preface = "";

  constructor(socket: net.Socket, isServer: boolean) {
    this.#socket = socket;
    socket.setNoDelay(true);
    if (isServer) this.#preface = latin1(wire.PREFACE);
    socket.on("error", () => {});
    socket.on("data", (data) => this.#take(data));
    if (!isServer) socket.write(wire.PREFACE);
    this.write((target) => writeSettings(target, 0, [[wire.INITIAL_WINDOW_SIZE, 1 << 20]]));
  }

  write(write: (target: Bytes) => number, room = 65_536): void {
    const target = new Uint8Array(room);
    this.#socket.write(target.subarray(0, write(target)));
  }

  send(streamId: number, fields: readonly Field[], isLast: boolean, indexing = REMEMBER, paddingBytes?: number): void {
    const block = new Uint8Array(BEGIN_ROOM + fields.reduce((sum, [name, value]) => sum + fieldRoom(name, value), 0));
    let end = this.#encoder.begin(block, 0);
    for (const [name, value] of fields) end = this.#encoder.field(block, end, name, value, indexing);
    const options = paddingBytes === undefined ? {} : { paddingBytes };
    const { maxFrameBytes } = this.settings;
    this.write(
      (target) => writeHeaders(target, 0, streamId, block.subarray(0, end), isLast, maxFrameBytes, options),
      blockRoom(end, maxFrameBytes),
    );
  }

  #take(data: Buffer): void {
    let at = 0;
    for (; this.#preface !== "" && at < data.length; at++) {
      assert.equal(data[at], this.#preface.charCodeAt(0));
      this.#preface = this.#preface.slice(1);
    }
    for (;;) {
      const result = this.#reader.next(data, at, data.length);
      at = this.#reader.position;
      if (result === FRAME_MORE) return;
      assert.notEqual(result, FRAME_FAULT, this.#reader.reason);
      if (result === FRAME_DATA) this.#takeData();
      else if (result === FRAME_WHOLE) this.#takeFrame();
    }
  }

  #takeData(): void {
    const { streamId, flags, bytes, start, end, isLast, length } = this.#reader;
    const body = (this.#bodies.get(streamId) ?? "") + latin1(bytes, start, end);
    this.#bodies.set(streamId, body);
    if (!isLast) return;
    if (length > 0) this.write((target) => writeWindowUpdate(target, 0, 0, length));
    if ((flags & wire.END_STREAM) !== 0) this.onBody(streamId, body);
  }

  #takeFrame(): void {
    const { type, flags, streamId, bytes, start, end, error } = this.#reader;
    if (type === wire.SETTINGS && (flags & wire.ACK) === 0) {
      assert.equal(this.settings.apply(bytes, start, end), wire.NO_ERROR);
      this.#encoder.setAllowed(this.settings.headerTableBytes);
      this.write((target) => writeSettingsAck(target, 0));
    } else if (type === wire.PING && (flags & wire.ACK) === 0) {
      this.pings++;
      this.write((target) => writePing(target, 0, bytes, start, true));
    } else if (type === wire.GOAWAY) this.goaways.push(error);
    else if (type === wire.RST_STREAM) this.onReset(streamId, error);
    else if (type === wire.HEADERS || type === wire.CONTINUATION) {
      if (type === wire.HEADERS) this.#isLast = (flags & wire.END_STREAM) !== 0;
      const isWhole = (flags & wire.END_HEADERS) !== 0;
      assert.ok(this.#block.add(bytes, start, end, isWhole));
      if (isWhole) this.onBlock(streamId, this.#decode(), this.#isLast);
    }
  }

  #decode(): readonly Field[] {
    const fields: Field[] = [];
    const target = new Uint8Array(1 << 20);
    this.#decoder.begin(this.#block.bytes, this.#block.start, this.#block.end);
    for (let at = 0; ; at = this.#decoder.valueEnd) {
      const result = this.#decoder.next(target, at);
      if (result === HPACK_END) return fields;
      assert.equal(result, HPACK_FIELD, this.#decoder.reason);
      const { nameStart, nameEnd, valueStart, valueEnd } = this.#decoder;
      fields.push([latin1(target, nameStart, nameEnd), latin1(target, valueStart, valueEnd)]);
    }
  }
}

const listen = (server: net.Server | http2.Http2Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });

/** Names and values that Node lets through as they are. */
const name = fc.stringMatching(/^x-[a-z0-9_]{1,12}$/);
const value = fc.oneof(fc.constantFrom("", "1", "z".repeat(300)), fc.stringMatching(/^[!-~][ -~]{0,40}[!-~]$/));
const extra = fc.uniqueArray(fc.tuple(name, value), { maxLength: 12, selector: ([one]) => one });
const body = fc.string({ maxLength: 3000 });

describe("the codec and node:http2", { timeout: 60_000 }, () => {
  for (const headerTableSize of [4096, 0, 200, 65_536])
    test(`Node as a client with a table of ${headerTableSize} bytes: each reads what the other has written`, async () => {
      const requests: { readonly fields: readonly Field[]; readonly body: string }[] = [];
      let answer: {
        readonly fields: readonly Field[];
        readonly indexing: number;
        readonly padding: number | undefined;
      };
      const server = net.createServer((socket) => {
        const peer = new CodecPeer(socket, true);
        let fields: readonly Field[] = [];
        peer.onBlock = (_, got) => {
          fields = got;
        };
        peer.onBody = (streamId, text) => {
          requests.push({ fields, body: text });
          const { indexing, padding } = answer;
          peer.send(streamId, [[":status", "200"], ...answer.fields], false, indexing, padding);
          const data = Buffer.from(text, "latin1");
          peer.write((target) => writeData(target, 0, streamId, data, false, padding));
          peer.send(streamId, [["x-trailer", `${data.length}`]], true, indexing);
        };
      });
      const session = http2.connect(`http://127.0.0.1:${await listen(server)}`, { settings: { headerTableSize } });
      try {
        const indexing = fc.constantFrom(REMEMBER, PASS, SECRET);
        const padding = fc.option(fc.nat(255), { nil: undefined });
        await fc.assert(
          fc.asyncProperty(extra, body, extra, indexing, padding, async (asked, text, fields, index, pad) => {
            answer = { fields, indexing: index, padding: pad };
            const got = await ask(session, asked, text);
            const request = requests.at(-1);
            assert.deepEqual(request?.fields.slice(4), asked);
            assert.equal(request?.body, Buffer.from(text, "utf8").toString("latin1"));
            assert.deepEqual(Object.entries(got.headers), [[":status", 200], ...fields]);
            assert.equal(got.text, text);
            assert.equal(got.trailers["x-trailer"], `${Buffer.byteLength(text)}`);
          }),
          { numRuns: 150 },
        );
        const ping = await new Promise((resolve, reject) => {
          session.ping(Buffer.from("12345678"), (error, _, payload) =>
            error === null ? resolve(String(payload)) : reject(error),
          );
        });
        assert.equal(ping, "12345678");
      } finally {
        session.destroy();
        server.close();
      }
    });

  test("a block of several frames is written as Node reads it, and read as Node writes it", async () => {
    const server = http2.createServer({ maxHeaderListPairs: 400, settings: { maxHeaderListSize: 1 << 20 } });
    server.on("stream", (stream, headers) => {
      stream.respond({ ":status": 200, "x-big": String(headers["x-big"]).toUpperCase() });
      stream.end();
    });
    const peer = new CodecPeer(net.connect(await listen(server), "127.0.0.1"), false);
    const big = "\\".repeat(40_000);
    const answered = new Promise<readonly Field[]>((resolve, reject) => {
      peer.onBlock = (_, fields) => resolve(fields);
      peer.onReset = (_, error) => reject(new Error(wire.errorName(error)));
    });
    peer.send(1, [...usual("/"), ["x-big", big.slice(0, 40_000)]], true);
    const fields = await answered;
    assert.equal(fields.find(([name]) => name === "x-big")?.[1], big);
    peer.write((target) => writeGoaway(target, 0, 0, wire.NO_ERROR));
    server.close();
  });
});

const usual = (path: string): readonly Field[] => [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", path],
  [":authority", "judge"],
];

interface Got {
  readonly headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  readonly text: string;
  readonly trailers: http2.IncomingHttpHeaders;
}

function ask(session: http2.ClientHttp2Session, fields: readonly Field[], text: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": "/", ...Object.fromEntries(fields) });
    let headers: Got["headers"] = {};
    let trailers: Got["trailers"] = {};
    let got = "";
    stream.setEncoding("utf8");
    stream.on("response", (one) => {
      headers = { ...one };
    });
    stream.on("trailers", (one) => {
      trailers = one;
    });
    stream.on("data", (data) => (got += data));
    stream.on("error", reject);
    stream.on("end", () => resolve({ headers, text: got, trailers }));
    stream.end(text);
  });
}

describe("what node:http2 refuses", { timeout: 60_000 }, () => {
  let server: http2.Http2Server;
  let port: number;

  before(async () => {
    server = http2.createServer();
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 204 }, { endStream: true });
    });
    server.on("session", (session) => session.on("error", () => {}));
    port = await listen(server);
  });
  after(() => {
    server.close();
  });

  /** The code of the GOAWAY that ends the connection, -1 when it goes on: a PING is answered. */
  async function verdict(...frames: readonly Bytes[]): Promise<number> {
    const socket = net.connect(port, "127.0.0.1");
    const peer = new CodecPeer(socket, false);
    const reader = new FrameReader();
    const ended = new Promise<number>((resolve) => {
      const done = (code: number): void => {
        socket.destroy();
        resolve(code);
      };
      socket.on("data", (data) => {
        for (let at = 0; ; at = reader.position) {
          const result = reader.next(data, at, data.length);
          if (result === FRAME_MORE) return;
          if (reader.type === wire.GOAWAY) done(reader.error);
          else if (reader.type === wire.PING && (reader.flags & wire.ACK) !== 0) done(-1);
        }
      });
      socket.on("close", () => done(peer.goaways[0] ?? -2));
    });
    for (const frame of frames) socket.write(frame);
    peer.write((target) => writePing(target, 0, frames[0] as Bytes, 0, false));
    return await ended;
  }

  const hex = (text: string): Bytes => Buffer.from(text.replaceAll(" ", ""), "hex");
  const headers = (streamId: number, block: Bytes, isLast: boolean): Bytes => {
    const target = new Uint8Array(blockRoom(block.length, wire.DEFAULT_FRAME_BYTES));
    return target.subarray(0, writeHeaders(target, 0, streamId, block, isLast, wire.DEFAULT_FRAME_BYTES));
  };
  const get = hex("82 84 86 41 01 61");

  /** RFC 9113 makes these an error of the stream; Node's library ends the connection. */
  const STRICTER: ReadonlySet<string> = new Set(["a short PRIORITY", "WINDOW_UPDATE of a stream by nothing"]);

  for (const [what, frames, result] of WRONG_FRAMES) {
    test(`frames: ${what}`, async () => {
      // Blocks of the case itself are those of another stream than the one that is open.
      const bytes = hex(frames.replaceAll(" 00000001 82", " 00000005 82"));
      const code = await verdict(headers(1, get, false), bytes);
      // Its codes are often INTERNAL_ERROR: what counts is whether the connection goes on.
      assert.equal(code !== -1, result === FRAME_FAULT || STRICTER.has(what), wire.errorName(code));
    });
  }

  test("blocks: the same are malformed", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "82",
        "be",
        "bf",
        "40 01 61 01 62",
        "41 81 1f",
        "00 01 78 81 1f",
        "7e 00",
        "20",
        "3f 45",
        "7f 80 00",
      ),
      fc.constantFrom(
        "3f e1 1f",
        "3f e2 1f",
        "40 83 9c ff ff 00",
        "00 81 18 00",
        "1f 08 82 4f ff",
        "ff 80 80 80 80 00",
        "c0",
      ),
      fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("hex")),
    );
    let faults = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 3 }), async (lists) => {
        const decoder = new HpackDecoder();
        const blocks = lists.map((list) => hex(list.join("")));
        const isFault = blocks.some((block) => {
          decoder.begin(block, 0, block.length);
          for (;;) {
            const result = decoder.next(new Uint8Array(20_000), 0);
            if (result === HPACK_FAULT) return true;
            if (result === HPACK_END) return false;
          }
        });
        if (isFault) faults++;
        const code = await verdict(...blocks.map((block, i) => headers(2 * i + 1, block, true)));
        assert.equal(code === wire.COMPRESSION_ERROR, isFault, `${wire.errorName(code)}, ${decoder.reason}`);
      }),
      { numRuns: 400 },
    );
    assert.ok(faults > 50, `${faults} faults`);
  });

  test("a stream that is reset, and a window that is widened, are taken as they are meant", async () => {
    const target = new Uint8Array(100);
    let end = writeRstStream(target, 0, 1, wire.CANCEL);
    end = writeWindowUpdate(target, end, 0, 1000);
    assert.equal(await verdict(headers(1, get, false), concatBytes([target.subarray(0, end)])), -1);
  });
});
