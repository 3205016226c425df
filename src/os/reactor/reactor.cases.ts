/** What every implementation of the reactor port must do. The peers are node:net sockets in the same process. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { parseIp } from "../../base/ip.ts";
import { NoMemory } from "../../base/no-memory.ts";
import type { Memory } from "../../io/memory.ts";
import type { Reactor } from "../../io/reactor.ts";
import type { Endpoint, Stream, StreamOwner } from "../../io/stream.ts";
import { ECONNREFUSED, ECONNRESET, ENODATA, ENOENT } from "../errno.ts";
import { ListeningSockets } from "../listening-socket.ts";
import { allocateMemory } from "../memory.ts";
import { SocketOptions } from "../socket-options.ts";

const LOOPBACK = parseIp("127.0.0.1") as Uint8Array;
const CHUNK_BYTES = 64 * 1024;

/** An owner that records; behaviour is put in by overwriting its functions. */
class Recorder implements StreamOwner {
  stream: Stream | undefined;
  text = "";
  receivedBytes = 0;
  ends = 0;
  writables = 0;
  readonly errors: number[] = [];
  data: (text: string) => void = () => {};
  end: () => void = () => {};
  writable: () => void = () => {};
  error: () => void = () => {};
  onNoMemory?: (message: string) => void;

  onData(memory: Memory, start: number, end: number): void {
    this.receivedBytes += end - start;
    const text = Buffer.from(memory.bytes.subarray(start, end)).toString("latin1");
    if (this.receivedBytes < 10_000) this.text += text;
    this.data(text);
  }
  onEnd(): void {
    this.ends++;
    this.end();
  }
  onWritable(): void {
    this.writables++;
    this.writable();
  }
  onError(errno: number): void {
    this.errors.push(errno);
    this.error();
  }
}

function memoryOf(text: string): Memory {
  const memory = allocateMemory(text.length);
  memory.bytes.set(Buffer.from(text, "latin1"));
  return memory;
}

/** Waits for a condition that an event will make true. A wait in vain ends, or the process would outlive the time limit of its test. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 50_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`waited in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const connected = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once("connect", resolve));
const closed = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()));

export function reactorCases(name: string, create: () => Reactor & { close(): void }): void {
  describe(`reactor: ${name}`, { timeout: 60_000 }, () => {
    const reactor = create();
    const listening = new ListeningSockets(() => {});
    const options = new SocketOptions(allocateMemory(1));
    const folder = mkdtempSync(path.join(os.tmpdir(), "reactor-"));
    after(() => {
      reactor.close();
      rmSync(folder, { recursive: true });
    });

    /** Listens on a free port; each connection gets an owner that `prepare` has seen. */
    function serve(prepare: (owner: Recorder, stream: Stream) => void, spec: { unix?: string; multi?: boolean } = {}) {
      const endpoint: Endpoint = spec.unix === undefined ? { ip: LOOPBACK, port: 0 } : { path: spec.unix };
      const fd = listening.open({ endpoint });
      const owners: Recorder[] = [];
      const errors: number[] = [];
      const acceptor = reactor.accept(fd, {
        multiAccept: spec.multi ?? false,
        onAccept(stream) {
          const owner = new Recorder();
          owner.stream = stream;
          stream.owner = owner;
          owners.push(owner);
          prepare(owner, stream);
        },
        onError: (errno) => errors.push(errno),
      });
      const local = options.localEndpoint(fd);
      const close = (): void => {
        acceptor.close();
        listening.close(fd);
        for (const owner of owners) owner.stream?.close();
      };
      return { fd, owners, errors, acceptor, close, port: "port" in local ? local.port : 0, local };
    }
    const dial = (port: number, settings: net.NetConnectOpts | object = {}): net.Socket =>
      net.connect({ port, host: "127.0.0.1", ...settings }).on("error", () => {});

    test("what arrives is delivered, what is written arrives, both ends know each other", async () => {
      const server = serve((owner, stream) => {
        owner.data = (text) => {
          const memory = memoryOf(`echo ${text}`);
          assert.equal(stream.write(memory, 0, 5 + text.length, false), 5 + text.length);
        };
      });
      const client = dial(server.port);
      let got = "";
      client.on("data", (data) => (got += data));
      client.write("hello");
      await until(() => got === "echo hello");
      const { stream } = server.owners[0] as Recorder;
      assert.deepEqual(stream?.remote, { ip: LOOPBACK, port: client.localPort });
      assert.deepEqual(stream?.local, { ip: LOOPBACK, port: server.port });
      client.destroy();
      server.close();
    });

    test("a client's half-close is told once, and the answer still goes out", async () => {
      const server = serve((owner, stream) => {
        owner.end = () => {
          stream.write(memoryOf("late answer"), 0, 11, false);
          stream.shutdownWrite();
        };
      });
      const client = dial(server.port, { allowHalfOpen: true });
      client.end("last words");
      let got = "";
      client.on("data", (data) => (got += data));
      await new Promise((resolve) => client.once("end", resolve));
      assert.equal(got, "late answer");
      const owner = server.owners[0] as Recorder;
      assert.equal(owner.text, "last words");
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(owner.ends, 1);
      server.close();
      client.destroy();
    });

    test("an end is told while reading is paused, and again behind the data that waited", async () => {
      const server = serve((_owner, stream) => stream.pauseReading());
      const client = dial(server.port, { allowHalfOpen: true });
      client.end("waiting");
      await until(() => server.owners[0]?.ends === 1);
      const owner = server.owners[0] as Recorder;
      assert.equal(owner.text, "");
      owner.stream?.resumeReading();
      assert.equal(owner.text, "", "nothing is delivered inside the call");
      await until(() => owner.ends === 2);
      assert.equal(owner.text, "waiting");
      server.close();
      client.destroy();
    });

    test("a paused stream delivers nothing until it is resumed, then everything", async () => {
      const server = serve((owner, stream) => {
        owner.data = () => stream.pauseReading();
      });
      const client = dial(server.port);
      client.setNoDelay(true);
      client.write("one");
      await until(() => server.owners[0]?.text === "one");
      const owner = server.owners[0] as Recorder;
      client.write("two");
      await new Promise((resolve) => setTimeout(resolve, 30));
      assert.equal(owner.text, "one");
      owner.stream?.resumeReading();
      await until(() => owner.text === "onetwo");
      client.destroy();
      server.close();
    });

    test("a reset is an error, also while reading is paused", async () => {
      for (const paused of [false, true]) {
        const server = serve((_owner, stream) => {
          if (paused) stream.pauseReading();
        });
        const client = dial(server.port);
        await connected(client);
        await until(() => server.owners.length === 1);
        client.resetAndDestroy();
        const owner = server.owners[0] as Recorder;
        await until(() => owner.errors.length > 0);
        assert.deepEqual(owner.errors, [ECONNRESET]);
        assert.ok((owner.stream as Stream).write(memoryOf("x"), 0, 1, false) < 0);
        server.close();
      }
    });

    test("setResetOnClose resets", async () => {
      const server = serve((owner, stream) => {
        owner.data = () => {
          stream.setResetOnClose();
          stream.close();
        };
      });
      const client = net.connect({ port: server.port, host: "127.0.0.1" });
      const code = new Promise((resolve) =>
        client.once("error", (error) => resolve((error as { code?: string }).code)),
      );
      client.write("x");
      assert.equal(await code, "ECONNRESET");
      server.close();
    });

    test("a writer is stopped by a slow reader and told when there is room again", async () => {
      const total = 12 * 1024 * 1024;
      const chunk = allocateMemory(CHUNK_BYTES);
      let sent = 0;
      let stops = 0;
      const server = serve((owner, stream) => {
        const pump = (): void => {
          while (sent < total) {
            const taken = stream.write(chunk, 0, CHUNK_BYTES, false);
            assert.ok(taken >= 0);
            sent += taken;
            if (taken < CHUNK_BYTES) {
              stops++;
              return;
            }
          }
          stream.close();
        };
        owner.writable = pump;
        reactor.defer(pump);
      });
      const client = dial(server.port);
      client.pause();
      await until(() => stops > 0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal((server.owners[0] as Recorder).writables, 0, "no room, no call");
      let got = 0;
      client.on("data", (data) => (got += data.length)).resume();
      await closed(client);
      assert.equal(got, sent);
      server.close();
    });

    test("pieces go out in order as one, to a slow reader as well, however many they are", async () => {
      // More than one call takes, of many sizes, from memory that overlaps.
      const memory = allocateMemory(200_000);
      memory.bytes.set(memory.bytes.map((_, i) => (i * 7) % 251));
      const pieces = Array.from({ length: 300 }, (_, i) => ({
        memory,
        start: i * 37,
        end: i * 37 + ((i * 613) % 40_000),
      }));
      const expected = Buffer.concat(pieces.map(({ start, end }) => memory.bytes.slice(start, end)));
      let calls = 0;
      const server = serve((owner, stream) => {
        let left = pieces;
        owner.writable = () => {
          calls++;
          let taken = stream.writeAll(left);
          assert.ok(taken >= 0);
          const rest: typeof left = [];
          for (const piece of left) {
            const size = piece.end - piece.start;
            if (taken < size) rest.push({ ...piece, start: piece.start + taken });
            taken = Math.max(0, taken - size);
          }
          left = rest;
        };
        owner.data = () => owner.writable();
      });
      const client = dial(server.port);
      const chunks: Buffer[] = [];
      client.write("go");
      await connected(client);
      client.pause();
      await until(() => calls > 0);
      client.on("data", (data) => chunks.push(data)).resume();
      await until(() => chunks.reduce((sum, { length }) => sum + length, 0) >= expected.length);
      assert.ok(Buffer.concat(chunks).equals(expected));
      assert.ok(calls > 1, "the reader was too slow for all of it at once");
      const { stream } = server.owners[0] as Recorder;
      assert.equal(stream?.writeAll([]), 0);
      client.resetAndDestroy();
      await until(() => (server.owners[0]?.errors.length ?? 0) + (server.owners[0]?.ends ?? 0) > 0);
      stream?.close();
      assert.ok((stream?.writeAll(pieces) ?? 0) < 0, "nothing is taken behind the end");
      server.close();
    });

    test("a fast writer can't starve the others: one stream's reads are bounded in a turn", async () => {
      const order: string[] = [];
      const server = serve((owner, stream) => {
        stream.pauseReading();
        owner.data = (text) => order.push(text[0] as string);
      });
      const fast = dial(server.port);
      fast.write(Buffer.alloc(4 * 1024 * 1024, "F"));
      await until(() => server.owners.length === 1);
      const slow = dial(server.port);
      slow.write("S");
      await until(() => server.owners.length === 2);
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (const owner of server.owners) owner.stream?.resumeReading();
      await until(() => order.includes("S"));
      assert.ok(order.indexOf("S") <= 8, `after ${order.indexOf("S")} reads of the fast one`);
      await until(() => (server.owners[0] as Recorder).receivedBytes === 4 * 1024 * 1024);
      fast.destroy();
      slow.destroy();
      server.close();
    });

    test("files are sent, from any position, to a slow reader as well", async () => {
      const file = path.join(folder, "file");
      const content = Buffer.alloc(6 * 1024 * 1024);
      for (let i = 0; i < content.length; i += 4) content.writeUInt32LE(i, i);
      writeFileSync(file, content);
      const fd = openSync(file, "r");
      const begin = 12345;
      const server = serve((owner, stream) => {
        let position = begin;
        const pump = (): void => {
          const taken = stream.sendFile(fd, position, content.length - position);
          assert.ok(taken >= 0);
          position += taken;
          if (position === content.length) stream.close();
        };
        owner.writable = pump;
        reactor.defer(pump);
      });
      const client = dial(server.port);
      client.pause();
      await new Promise((resolve) => setTimeout(resolve, 20));
      const parts: Buffer[] = [];
      client.on("data", (data: Buffer) => parts.push(data)).resume();
      await closed(client);
      assert.ok(Buffer.concat(parts).equals(content.subarray(begin)));
      server.close();
    });

    test("a truncated file is an error, not a wait for ever", async () => {
      const file = path.join(folder, "truncated");
      writeFileSync(file, "0123456789");
      const fd = openSync(file, "r");
      truncateSync(file, 4);
      const results: number[] = [];
      const server = serve((_owner, stream) => {
        results.push(stream.sendFile(fd, 0, 10), stream.sendFile(fd, 4, 6));
      });
      const client = dial(server.port);
      await until(() => results.length === 2);
      assert.deepEqual(results, [4, -ENODATA]);
      client.destroy();
      server.close();
    });

    test("connect succeeds with onWritable, to TCP and to unix sockets", async () => {
      const unix = path.join(folder, "socket");
      for (const server of [serve(() => {}), serve(() => {}, { unix })]) {
        const owner = new Recorder();
        const remote: Endpoint = server.port === 0 ? { path: unix } : { ip: LOOPBACK, port: server.port };
        const stream = reactor.connect(remote, undefined, owner);
        assert.equal(owner.writables, 0, "never inside the call");
        await until(() => owner.writables === 1);
        assert.deepEqual(stream.remote, remote);
        stream.write(memoryOf("hi"), 0, 2, false);
        await until(() => server.owners[0]?.text === "hi");
        if (server.port === 0) assert.deepEqual(server.owners[0]?.stream?.remote, { path: "" });
        (server.owners[0] as Recorder).stream?.close();
        await until(() => owner.ends === 1);
        stream.close();
        server.close();
      }
    });

    test("connect can choose its own address", async () => {
      const server = serve(() => {});
      const ip = parseIp("127.0.0.9") as Uint8Array;
      const owner = new Recorder();
      const stream = reactor.connect({ ip: LOOPBACK, port: server.port }, { ip, port: 0 }, owner);
      await until(() => server.owners.length === 1);
      const remote = server.owners[0]?.stream?.remote as { ip: Uint8Array };
      assert.deepEqual(remote.ip, ip);
      stream.close();
      server.close();
    });

    test("a refused connect is an error with its errno, never inside the call", async () => {
      const server = serve(() => {});
      server.close();
      const tcp = new Recorder();
      const unix = new Recorder();
      const streams = [
        reactor.connect({ ip: LOOPBACK, port: server.port }, undefined, tcp),
        reactor.connect({ path: path.join(folder, "nobody") }, undefined, unix),
      ];
      assert.deepEqual([tcp.errors, unix.errors], [[], []]);
      await until(() => tcp.errors.length === 1 && unix.errors.length === 1);
      assert.deepEqual([tcp.errors, unix.errors], [[ECONNREFUSED], [ENOENT]]);
      for (const stream of streams) stream.close();
    });

    test("an owner that closes inside onData, onEnd, onWritable or onAccept hears nothing more", async () => {
      const server = serve((owner, stream) => {
        owner.data = () => stream.close();
        owner.end = () => stream.close();
      });
      for (const [write, data, ends] of [
        ["x", "x", 0],
        ["", "", 1],
      ] as const) {
        const client = dial(server.port, { allowHalfOpen: true });
        client.end(write);
        client.resume();
        await closed(client.once("end", () => client.destroy()));
        const owner = server.owners.at(-1) as Recorder;
        assert.deepEqual([owner.text, owner.ends, owner.errors], [data, ends, []]);
        assert.ok((owner.stream as Stream).write(memoryOf("x"), 0, 1, false) < 0, "a closed stream takes nothing");
      }
      server.close();
      const refusing = serve((_owner, stream) => stream.close());
      const client = dial(refusing.port);
      client.resume();
      await closed(client);
      refusing.close();
      const owner = new Recorder();
      const other = serve(() => {});
      const stream = reactor.connect({ ip: LOOPBACK, port: other.port }, undefined, owner);
      owner.writable = () => stream.close();
      await until(() => other.owners[0]?.ends === 1);
      assert.equal(owner.writables, 1);
      other.close();
    });

    test("an owner that has no memory for what it hears is told so, and others are served in the same turn", async () => {
      const server = serve(
        (owner, stream) => {
          owner.data = (text) => {
            if (text === "poor") throw new NoMemory(100);
            stream.write(memoryOf("fine"), 0, 4, false);
          };
          owner.onNoMemory = (message) => {
            owner.text = message;
            stream.close();
          };
        },
        { multi: true },
      );
      const clients = Array.from({ length: 20 }, () => dial(server.port));
      await Promise.all(clients.map(connected));
      const got = clients.map(() => "");
      const over = clients.map(() => false);
      for (const [i, client] of clients.entries()) {
        client.on("data", (data) => (got[i] += String(data)));
        client.on("close", () => (over[i] = true));
      }
      for (const [i, client] of clients.entries()) client.write(i % 2 === 0 ? "poor" : "rich");
      await until(() => got.every((text, i) => (i % 2 === 0 ? over[i] : text === "fine")));
      assert.equal(server.owners.filter(({ text }) => text === "malloc(100) failed").length, 10);
      for (const client of clients) client.destroy();
      server.close();
    });

    test("an event of a closed socket never reaches the one that has its descriptor now", async () => {
      // In one turn: a hundred sockets are readable; the first owner closes all of them and connects anew.
      const server = serve(() => {}, { multi: true });
      const clients = Array.from({ length: 100 }, () => dial(server.port));
      await until(() => server.owners.length === 100);
      const second = serve(() => {});
      const fresh: Recorder[] = [];
      let done = false;
      for (const owner of server.owners) {
        owner.data = () => {
          assert.ok(!done, "an event of a closed stream was delivered");
          done = true;
          for (const other of server.owners) other.stream?.close();
          for (let i = 0; i < 100; i++) {
            const recorder = new Recorder();
            recorder.stream = reactor.connect({ ip: LOOPBACK, port: second.port }, undefined, recorder);
            // A paused stream tells of an end by its events alone: a late one would be taken for its own.
            recorder.stream.pauseReading();
            fresh.push(recorder);
          }
        };
      }
      for (const client of clients) client.end("x");
      await until(() => second.owners.length === 100);
      assert.ok(fresh.every((owner) => owner.text === "" && owner.ends === 0 && owner.errors.length === 0));
      for (const client of clients) client.destroy();
      for (const owner of fresh) owner.stream?.close();
      server.close();
      second.close();
    });

    test("a thousand connections talk at the same time", async () => {
      const server = serve(
        (owner, stream) => {
          owner.data = (text) => stream.write(memoryOf(text), 0, text.length, false);
        },
        { multi: true },
      );
      const clients: net.Socket[] = [];
      let answers = 0;
      for (let i = 0; i < 1000; i++) {
        const client = dial(server.port);
        client.on("data", (data) => {
          assert.equal(data.toString(), `I am ${i}`);
          answers++;
        });
        client.write(`I am ${i}`);
        clients.push(client);
      }
      await until(() => answers === 1000);
      for (const client of clients) client.destroy();
      await until(() => server.owners.every((owner) => owner.ends === 1));
      server.close();
    });

    test("a closed acceptor takes no more connections; the socket still queues them for others", async () => {
      const server = serve(() => {});
      server.acceptor.close();
      const client = dial(server.port);
      await connected(client);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(server.owners.length, 0);
      let accepted = 0;
      const again = reactor.accept(server.fd, {
        multiAccept: true,
        onAccept: (stream) => {
          accepted++;
          stream.close();
        },
        onError: () => {},
      });
      await until(() => accepted === 1);
      again.close();
      client.destroy();
      server.close();
    });

    test("a connection that waits when the acceptor closes is still accepted: perhaps only this reactor knows of it", async () => {
      const server = serve(() => {});
      // The kernel completes the connection while this thread waits for the child.
      const script = `const c = require("node:net").connect(${server.port}, "127.0.0.1", () => process.exit(0)); c.on("error", () => process.exit(1));`;
      assert.equal(spawnSync(process.execPath, ["-e", script]).status, 0);
      assert.equal(server.owners.length, 0);
      server.acceptor.close();
      assert.equal(server.owners.length, 1);
      await until(() => server.owners[0]?.ends === 1 || server.owners[0]?.errors.length === 1);
      server.close();
    });

    test("deferred tasks run behind the events of the turn, each once, also from outside of a turn", async () => {
      const log: string[] = [];
      reactor.defer(() => {
        log.push("first");
        reactor.defer(() => log.push("of the next turn"));
      });
      reactor.defer(() => log.push("second"));
      assert.deepEqual(log, []);
      await until(() => log.length === 3);
      assert.deepEqual(log, ["first", "second", "of the next turn"]);
    });

    test("what an alarm writes and closes arrives with its end, though nothing else happens behind it", async () => {
      const farewell = memoryOf("farewell");
      const server = serve((_, stream) => {
        const alarm = reactor.alarm(() => {
          stream.write(farewell, 0, 8, false);
          stream.close();
        });
        alarm.arm(reactor.clock.now() + 20);
      });
      const client = dial(server.port);
      let got = "";
      client.on("data", (data) => (got += data));
      await closed(client);
      assert.equal(got, "farewell");
      server.close();
    });

    test("an alarm rings once, not before its time, moves when armed again, and can be disarmed", async () => {
      const rings: number[] = [];
      const alarm = reactor.alarm(() => rings.push(reactor.clock.now()));
      const silent = reactor.alarm(() => assert.fail("it was disarmed"));
      const start = reactor.clock.now();
      silent.arm(start + 5);
      alarm.arm(start + 5);
      alarm.arm(start + 25);
      silent.disarm();
      await until(() => rings.length === 1);
      assert.ok((rings[0] as number) >= start + 25);
      await new Promise((resolve) => setTimeout(resolve, 40));
      assert.equal(rings.length, 1);
      alarm.arm(reactor.clock.now() - 1000);
      await until(() => rings.length === 2);
    });

    test("an alarm rings behind what has come in time, however long the process was held up", async () => {
      const log: string[] = [];
      const server = serve((owner) => {
        owner.data = (text) => log.push(text);
      });
      const client = dial(server.port);
      await connected(client);
      await until(() => server.owners.length === 1);
      const alarm = reactor.alarm(() => log.push("alarm"));
      alarm.arm(reactor.clock.now() + 20);
      client.write("in time");
      for (const end = performance.now() + 60; performance.now() < end; );
      await until(() => log.length === 2);
      assert.deepEqual(log, ["in time", "alarm"]);
      client.destroy();
      server.close();
    });

    test("the clock stands still within a turn and runs outside of turns", async () => {
      const instants: number[] = [];
      reactor.defer(() => {
        const first = reactor.clock.now();
        const end = performance.now() + 3;
        while (performance.now() < end);
        instants.push(first, reactor.clock.now());
      });
      await until(() => instants.length === 2);
      assert.equal(instants[0], instants[1]);
      const outside = reactor.clock.now();
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.ok(reactor.clock.now() > outside);
      assert.ok(Math.abs(reactor.clock.wall() - Date.now()) < 1000);
    });

    test("promises continue while connections keep the loop busy", async () => {
      let rounds = 0;
      const server = serve((owner, stream) => {
        owner.data = (text) => stream.write(memoryOf(text), 0, text.length, false);
      });
      const owner = new Recorder();
      const ball = memoryOf("x");
      const stream = reactor.connect({ ip: LOOPBACK, port: server.port }, undefined, owner);
      owner.writable = () => stream.write(ball, 0, 1, false);
      owner.data = () => {
        rounds++;
        stream.write(ball, 0, 1, false);
      };
      await until(() => rounds > 100);
      const before = rounds;
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      await until(() => rounds > before);
      stream.close();
      server.close();
    });
  });
}
