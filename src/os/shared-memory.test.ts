import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { test } from "node:test";
import { Zone } from "../base/zone.ts";
import { createSharedMemory, kernelLockHost, mapSharedMemory } from "./shared-memory.ts";

const SIZE_BYTES = 65536;
/** Descriptor of the memory in a child. */
const CHILD_FD = 4;

function map(fd: number): Zone {
  return new Zone("z", mapSharedMemory(fd, SIZE_BYTES).words, { processId: process.pid, host: kernelLockHost });
}

/** A process that shares the memory and runs `script`, which sees `zone`. */
function child(fd: number, script: string): ChildProcess {
  const [base, os] = ["../base/zone.js", "./shared-memory.js"].map((name) => new URL(name, import.meta.url).href);
  const program = `
    const { Zone } = await import(${JSON.stringify(base)});
    const { kernelLockHost, mapSharedMemory } = await import(${JSON.stringify(os)});
    const words = mapSharedMemory(${CHILD_FD}, ${SIZE_BYTES}).words;
    const zone = new Zone("z", words, { processId: process.pid, host: kernelLockHost });
    ${script}`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "inherit", "inherit", "ipc", fd],
  });
}

test("processes that inherit a descriptor share its memory, one at a time behind the lock", {
  timeout: 20_000,
}, async () => {
  const fd = createSharedMemory("test", SIZE_BYTES);
  const rounds = 20_000;
  const children = [1, 2].map(() =>
    child(
      fd,
      `const counter = zone.region("counter", 2);
      for (let i = 0; i < ${rounds}; i++) {
        zone.lock.acquire();
        counter[0] = counter[0] + 1; // not atomic on purpose
        if (++counter[1] !== 1) throw new Error("two were inside");
        counter[1]--;
        zone.lock.release();
      }
      process.disconnect();`,
    ),
  );
  const codes = await Promise.all(children.map(async (one) => (await once(one, "exit"))[0]));
  assert.deepEqual(codes, [0, 0]);
  assert.deepEqual([...(map(fd).find("counter") as Int32Array)], [2 * rounds, 0]);
  closeSync(fd);
});

test("a process that is killed while it holds the lock stops nobody", { timeout: 20_000 }, async () => {
  const fd = createSharedMemory("test", SIZE_BYTES);
  const zone = map(fd);
  const holder = child(fd, "zone.lock.acquire(); process.send('held'); setInterval(() => {}, 1000);");
  await once(holder, "message");
  // Another process waits for the lock all the while.
  const waiter = child(fd, "process.send('waits'); process.send(zone.lock.acquire()); process.disconnect();");
  const [first] = await once(waiter, "message");
  assert.equal(first, "waits");
  const verdict = once(waiter, "message");
  holder.kill("SIGKILL");
  await once(holder, "exit");
  assert.deepEqual((await verdict)[0], true, "and is told that the holder has died");
  await once(waiter, "exit");
  // That one has died with the lock, too; this time its parent has heard of it.
  assert.equal(zone.lock.releaseFor(waiter.pid as number), true);
  assert.equal(zone.lock.acquire(), true);
  zone.lock.release();
  closeSync(fd);
});
