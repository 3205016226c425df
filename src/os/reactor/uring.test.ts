import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import net from "node:net";
import { after, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import type { Memory } from "../../io/memory.ts";
import type { AcceptOptions } from "../../io/reactor.ts";
import type { Stream, StreamOwner } from "../../io/stream.ts";
import { ListeningSockets } from "../listening-socket.ts";
import { allocateMemory } from "../memory.ts";
import { SocketOptions } from "../socket-options.ts";
import { descriptorCases } from "./descriptors.cases.ts";
import { reactorCases } from "./reactor.cases.ts";
import { UringReactor } from "./uring.ts";
import { probeRing } from "./uring-ring.ts";

const ANSWER_BYTES = 100;
/** Ways to end a connection behind an answer. */
const ENDINGS: Readonly<Record<string, (stream: Stream, answer: Memory) => void>> = {
  "an answer and its close": (stream, answer) => {
    stream.write(answer, 0, ANSWER_BYTES, false);
    stream.close();
  },
  "an answer and a half-close": (stream, answer) => {
    stream.write(answer, 0, ANSWER_BYTES, false);
    stream.shutdownWrite();
  },
  "a second piece": (stream, answer) => {
    stream.write(answer, 0, ANSWER_BYTES, false);
    assert.equal(stream.write(answer, 0, ANSWER_BYTES, false), 0, "the first one is on its way");
  },
};

const refusal = probeRing();

if (refusal !== undefined) test("io_uring", { skip: `this kernel refuses it: ${refusal.message}` }, () => {});
else {
  reactorCases("io_uring", () => new UringReactor());
  descriptorCases("uring", "UringReactor");
  ownCases();
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** A wait in vain ends, or the process would outlive the time limit of its test. */
const until = async (condition: () => boolean): Promise<void> => {
  const deadline = Date.now() + 50_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`waited in vain for ${condition}`);
    await sleep(1);
  }
};

/** Asks once, in a thread of its own: how long until everything has come and the other side has ended, in ms. */
function askElsewhere(port: number): Promise<number> {
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    const socket = require("node:net").connect(workerData, "127.0.0.1", () => socket.write("x"));
    let begunMs = 0;
    socket.on("data", () => {
      begunMs ||= performance.now();
    });
    socket.on("end", () => parentPort.postMessage(performance.now() - begunMs));`;
  return new Promise((resolve, reject) => {
    const thread = new Worker(script, { eval: true, workerData: port });
    thread.on("message", resolve).on("error", reject);
  });
}

/** A seeded generator: the same storm every time. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Sends the whole of a memory in pieces and closes with the last one. */
class Pump implements StreamOwner {
  private readonly stream: Stream;
  private readonly memory: Memory;
  private readonly pieceBytes: number;
  sentBytes = 0;
  isClosed = false;

  constructor(stream: Stream, memory: Memory, pieceBytes: number) {
    this.stream = stream;
    this.memory = memory;
    this.pieceBytes = pieceBytes;
  }

  onWritable(): void {
    assert.ok(!this.isClosed, "nothing is told to the owner of a closed stream");
    const { length } = this.memory.bytes;
    while (this.sentBytes < length) {
      const offered = Math.min(this.pieceBytes, length - this.sentBytes);
      const taken = this.stream.write(this.memory, this.sentBytes, offered, false);
      assert.ok(taken >= 0);
      this.sentBytes += taken;
      if (taken < offered) return;
    }
    this.isClosed = true;
    this.stream.close();
  }
  onData(): void {}
  onEnd(): void {}
  onError(): void {}
}

/** Echoes what fits, and pauses, resumes and closes by chance, inside callbacks and outside. */
class Capricious implements StreamOwner {
  private readonly stream: Stream;
  private readonly random: (below: number) => number;
  isClosed = false;
  calls = 0;

  constructor(stream: Stream, random: (below: number) => number) {
    this.stream = stream;
    this.random = random;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (this.random(4) === 0) this.stream.setResetOnClose();
    this.stream.close();
  }
  private step(): void {
    this.calls++;
    assert.ok(!this.isClosed, "nothing is told to the owner of a closed stream");
    const chance = this.random(12);
    if (chance === 0) this.close();
    else if (chance === 1) {
      this.stream.pauseReading();
      setTimeout(() => this.stream.resumeReading(), this.random(5));
    } else if (chance === 2) setTimeout(() => this.close(), this.random(5));
    else if (chance === 3) this.stream.shutdownWrite();
  }
  onData(memory: Memory, start: number, end: number): void {
    this.stream.write(memory, start, end - start, this.random(8) === 0);
    this.step();
  }
  onWritable(): void {
    this.step();
  }
  onEnd(): void {
    this.step();
    this.close();
  }
  onError(): void {
    this.step();
    this.close();
  }
}

function ownCases(): void {
  describe("io_uring, waiting for more within a turn", { timeout: 60_000 }, () => {
    // So long that whatever it holds back is noticed.
    const budgetMs = 900;
    for (const [what, end] of Object.entries(ENDINGS))
      test(`holds ${what} back for nothing`, async () => {
        const reactor = new UringReactor(undefined, budgetMs);
        const listening = new ListeningSockets(() => {});
        const fd = listening.open({ endpoint: { ip: Uint8Array.of(127, 0, 0, 1), port: 0 } });
        const streams: Stream[] = [];
        const answer = allocateMemory(ANSWER_BYTES);
        const acceptor = reactor.accept(fd, {
          multiAccept: false,
          onAccept(stream) {
            streams.push(stream);
            stream.owner = {
              onData: () => end(stream, answer),
              onWritable() {
                stream.write(answer, 0, ANSWER_BYTES, false);
                stream.close();
              },
              onEnd: () => stream.close(),
              onError: () => stream.close(),
            };
          },
          onError: (errno) => assert.fail(`accept: ${errno}`),
        });
        const local = new SocketOptions(allocateMemory(1)).localEndpoint(fd);
        const tookMs = await askElsewhere("port" in local ? local.port : 0);
        acceptor.close();
        listening.close(fd);
        for (const stream of streams) stream.close();
        reactor.close();
        assert.ok(tookMs < budgetMs / 2, `${tookMs} ms`);
      });
  });

  describe("io_uring's own", { timeout: 60_000 }, () => {
    const reactor = new UringReactor();
    const listening = new ListeningSockets(() => {});
    const options = new SocketOptions(allocateMemory(1));
    after(() => reactor.close());

    function listen(onAccept: AcceptOptions["onAccept"]): { readonly port: number; readonly close: () => void } {
      const fd = listening.open({ endpoint: { ip: new Uint8Array([127, 0, 0, 1]), port: 0 } });
      const acceptor = reactor.accept(fd, { multiAccept: true, onAccept, onError: (errno) => assert.fail(`${errno}`) });
      const { port } = options.localEndpoint(fd) as { port: number };
      const close = (): void => {
        acceptor.close();
        listening.close(fd);
      };
      return { port, close };
    }

    test("what was taken arrives whole and in order, though the reader is slow and the stream closed with the last piece", async () => {
      const content = allocateMemory(3 * 1024 * 1024);
      const words = new Uint32Array(content.bytes.buffer, content.bytes.byteOffset, content.bytes.length / 4);
      for (let i = 0; i < words.length; i++) words[i] = i;
      for (const pieceBytes of [1000, 4096, 10_000]) {
        const pumps: Pump[] = [];
        const server = listen((stream) => {
          const pump = new Pump(stream, content, pieceBytes);
          stream.owner = pump;
          pumps.push(pump);
          reactor.defer(() => pump.onWritable());
        });
        const client = net.connect(server.port, "127.0.0.1").pause();
        await until(() => pumps.length === 1);
        await sleep(20);
        const parts: Buffer[] = [];
        client.on("data", (part) => {
          parts.push(part);
          client.pause();
          setImmediate(() => client.resume());
        });
        client.resume();
        await new Promise((resolve) => client.once("end", resolve));
        assert.ok(Buffer.concat(parts).equals(Buffer.from(content.bytes)), `pieces of ${pieceBytes}`);
        client.destroy();
        server.close();
      }
      await until(() => reactor.sends.isIdle);
    });

    test("the last piece of a closed stream waits in the kernel for a peer that doesn't read yet", async () => {
      const memory = allocateMemory(4096);
      memory.bytes.fill(0x61);
      let takenBytes = 0;
      const server = listen((stream) => {
        const fill = (): void => {
          // The turn's call finds out that the socket is full only when this piece has been taken.
          const taken = stream.write(memory, 0, 4000, false);
          takenBytes += taken;
          if (taken > 0) reactor.defer(fill);
          else {
            stream.setNoDelay(true);
            stream.close();
          }
        };
        reactor.defer(fill);
      });
      const client = net.connect(server.port, "127.0.0.1").pause();
      await until(() => reactor.watchedCount === 1 && takenBytes > 0);
      assert.ok(!reactor.sends.isIdle, "the piece is on its way");
      let gotBytes = 0;
      client.on("data", (data) => (gotBytes += data.length)).resume();
      await new Promise((resolve) => client.once("end", resolve));
      assert.equal(gotBytes, takenBytes);
      await until(() => reactor.sends.isIdle);
      client.destroy();
      server.close();
    });

    test("memory that is kept stays as it is until it is given back, and what comes meanwhile comes elsewhere", async () => {
      const kept: { readonly text: string; readonly read: () => string; readonly release: () => void }[] = [];
      let refusals = 0;
      let gotBytes = 0;
      const server = listen((stream) => {
        stream.owner = {
          onData(memory, start, end) {
            gotBytes += end - start;
            assert.equal(stream.keep(memory.bytes.slice(start, end)), undefined, "not the bytes that are lent");
            const read = (): string => Buffer.from(memory.bytes.subarray(start, end)).toString("latin1");
            const own = stream.keep(memory.bytes);
            if (own === undefined) refusals++;
            else {
              assert.equal(own.memory, memory);
              assert.equal(stream.keep(memory.bytes), undefined, "it is kept already");
              kept.push({ text: read(), read, release: () => own.release() });
            }
            stream.write(memory, start, 1, false);
          },
          onEnd: () => stream.close(),
          onWritable() {},
          onError: () => stream.close(),
        };
      });
      const client = net.connect(server.port, "127.0.0.1").on("error", () => {});
      const say = async (text: string): Promise<void> => {
        const before = gotBytes;
        client.write(text);
        await until(() => gotBytes === before + text.length);
      };
      client.resume();
      for (let i = 0; refusals < 20; i++) await say(`message ${i} `.repeat(1 + (i % 50)));
      assert.ok(kept.length >= 64, `${kept.length} could be kept`);
      for (const { text, read } of kept) assert.equal(read(), text);
      const all = kept.length;
      // Twice is once: a buffer that the kernel had two times would be filled for two streams.
      for (const { release } of kept.splice(0)) {
        release();
        release();
      }
      refusals = 0;
      for (let i = 0; refusals < 1; i++) await say(`again ${i} `.repeat(20));
      assert.equal(kept.length, all);
      for (const { text, read } of kept) assert.equal(read(), text);
      for (const { release } of kept) release();
      await say("and still");
      client.destroy();
      server.close();
      await until(() => reactor.watchedCount === 0);
    });

    test("a storm of closes, pauses and resets leaves no buffer, slot, stream or descriptor behind", async () => {
      const random = randomNumbers(7);
      const owners: Capricious[] = [];
      const server = listen((stream) => {
        const owner = new Capricious(stream, random);
        stream.owner = owner;
        owners.push(owner);
        if (random(20) === 0) owner.close();
      });
      const before = readdirSync("/proc/self/fd").length;
      const payload = Buffer.alloc(40_000, "x");
      for (let round = 0; round < 40; round++) {
        const clients = Array.from({ length: 40 }, () => {
          const client = net.connect(server.port, "127.0.0.1").on("error", () => {});
          for (let writes = 0; writes < 3; writes++) client.write(payload.subarray(0, 1 + random(payload.length)));
          if (random(2) === 0) client.resume();
          return client;
        });
        await sleep(random(6));
        for (const client of clients) {
          if (random(2) === 0) client.resetAndDestroy();
          else client.destroy();
        }
      }
      await sleep(20);
      for (const owner of owners) owner.close();
      await until(() => reactor.sends.isIdle && reactor.watchedCount === 1);
      await until(() => readdirSync("/proc/self/fd").length === before);
      assert.ok(owners.length > 1000 && owners.reduce((calls, owner) => calls + owner.calls, 0) > 1000);
      // More than there are buffers can still be received, in a single turn as well.
      const readers = new Set<Stream>();
      let gotBytes = 0;
      const second = listen((stream) => {
        readers.add(stream);
        stream.owner = {
          onData: (_memory, start, end) => (gotBytes += end - start),
          onEnd() {},
          onWritable() {},
          onError() {},
        };
      });
      const clients = Array.from({ length: 100 }, () => net.connect(second.port, "127.0.0.1").on("error", () => {}));
      for (const client of clients) client.write(payload);
      await until(() => gotBytes === clients.length * payload.length);
      for (const client of clients) client.destroy();
      for (const stream of readers) stream.close();
      server.close();
      second.close();
    });
  });
}
