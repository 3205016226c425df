import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { SharedLock, type SharedLockHost } from "./shared-lock.ts";

const quiet: SharedLockHost = { isAlive: () => true, rest: () => {} };

test("it is taken, and given back by its holder only", () => {
  const words = new Int32Array(3);
  const mine = new SharedLock(words, 1, 7, quiet);
  assert.equal(mine.acquire(), false);
  assert.deepEqual([...words], [0, 7, 0]);
  assert.throws(() => new SharedLock(words, 1, 8, quiet).release(), /by its holder/);
  assert.throws(() => mine.acquire(), /twice/);
  words[1] = 7;
  mine.release();
  assert.deepEqual([...words], [0, 0, 0]);
});

test("a lock whose holder has died is taken over, and that is told", () => {
  const words = Int32Array.of(99);
  const asked: number[] = [];
  const host: SharedLockHost = {
    isAlive: (id) => {
      asked.push(id);
      return asked.length < 3;
    },
    rest: () => {},
  };
  const lock = new SharedLock(words, 0, 7, host);
  assert.equal(lock.acquire(), true);
  assert.deepEqual([words[0], asked], [7, [99, 99, 99]]);
});

test("a parent frees the lock of a child that has died, and no other", () => {
  const words = Int32Array.of(99);
  const lock = new SharedLock(words, 0, 7, quiet);
  assert.equal(lock.releaseFor(98), false);
  assert.equal(lock.releaseFor(99), true);
  assert.equal(lock.acquire(), true, "who takes it next is told");
  lock.release();
  assert.equal(lock.acquire(), false);
});

test("one at a time is inside", async () => {
  const shared = new SharedArrayBuffer(12);
  const rounds = 5000;
  const script = `
    const { workerData } = require("node:worker_threads");
    import(workerData.module).then(({ SharedLock }) => {
      const words = new Int32Array(workerData.shared);
      const lock = new SharedLock(words, 0, workerData.id, { isAlive: () => true, rest: () => {} });
      for (let i = 0; i < ${rounds}; i++) {
        lock.acquire();
        words[1] = words[1] + 1; // not atomic on purpose
        if (++words[2] !== 1) throw new Error("two were inside");
        words[2]--;
        lock.release();
      }
    });`;
  const module = new URL("./shared-lock.js", import.meta.url).href;
  const codes = await Promise.all(
    [1, 2, 3].map(
      (id) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(script, { eval: true, workerData: { shared, id, module } });
          worker.on("error", reject);
          worker.on("exit", resolve);
        }),
    ),
  );
  assert.deepEqual(codes, [0, 0, 0]);
  assert.deepEqual([...new Int32Array(shared)], [0, 3 * rounds, 0]);
});
