import assert from "node:assert/strict";
import { closeSync, writeSync } from "node:fs";
import { afterEach, test } from "node:test";
import { MessageChannel, messageChannel } from "./message-channel.ts";

/** A test that fails must not wait for them. */
const opened: MessageChannel<never, unknown>[] = [];
afterEach(() => {
  for (const channel of opened.splice(0)) channel.close();
});

function open<In>(fd: number, onMessage: (message: In) => void, onEnd: () => void = () => {}) {
  const channel = new MessageChannel<In, unknown>(fd, onMessage, onEnd);
  opened.push(channel as never);
  return channel;
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await settled();
  assert.ok(isTrue());
}

/** Both ends in this process, and what has arrived at each. */
function connect() {
  const { ours, theirs } = messageChannel();
  const seen: { left: unknown[]; right: unknown[]; ends: string[] } = { left: [], right: [], ends: [] };
  const left = open<unknown>(
    ours,
    (message) => seen.left.push(message),
    () => seen.ends.push("left"),
  );
  const right = open<unknown>(
    theirs,
    (message) => seen.right.push(message),
    () => seen.ends.push("right"),
  );
  return { left, right, seen };
}

test("messages arrive whole and in order, in both directions, whatever they contain", async () => {
  const { left, right, seen } = connect();
  const messages = [{ text: "ünïcode\n\u2028 and \0" }, [], "", 7, null, { deep: [{ a: "\\n" }] }];
  for (const message of messages) left.send(message);
  right.send("back");
  await until(() => seen.right.length === messages.length && seen.left.length === 1);
  assert.deepEqual(seen.right, messages);
  assert.deepEqual(seen.left, ["back"]);
  left.close();
  await until(() => seen.ends.length === 1);
  assert.deepEqual(seen.ends, ["right"], "whoever closes is not told");
  assert.equal(right.isOpen, false);
  right.send("nobody hears");
});

test("more than the socket holds waits for its reader, and what is of no use later is left out", async () => {
  const { left, right, seen } = connect();
  const large = "x".repeat(5_000_000);
  left.send(large);
  left.sendAtOnce("late");
  left.send("behind");
  await until(() => seen.right.length === 2);
  assert.deepEqual(seen.right, [large, "behind"]);
  left.sendAtOnce("in time");
  await until(() => seen.right.length === 3);
  left.close();
  right.close();
});

test("a line comes in any pieces", async () => {
  const { ours, theirs } = messageChannel();
  const seen: unknown[] = [];
  const channel = open<unknown>(theirs, (message) => seen.push(message));
  const bytes = Buffer.from('{"a":"é"}\n[1]\n"end"\n');
  for (const byte of bytes) {
    writeSync(ours, Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => seen.length === 3);
  assert.deepEqual(seen, [{ a: "é" }, [1], "end"]);
  channel.close();
  closeSync(ours);
});

test("a message that makes its receiver close the channel is the last one", async () => {
  const { ours, theirs } = messageChannel();
  const seen: unknown[] = [];
  const channel = open<unknown>(
    theirs,
    (message) => {
      seen.push(message);
      channel.close();
    },
    () => seen.push("end"),
  );
  writeSync(ours, "1\n2\n3\n");
  await until(() => !channel.isOpen);
  await settled();
  assert.deepEqual(seen, [1]);
  closeSync(ours);
});

test("the other end's death while messages wait for it is told once", async () => {
  const { ours, theirs } = messageChannel();
  let ends = 0;
  const channel = open<unknown>(
    ours,
    () => {},
    () => ends++,
  );
  channel.send("x".repeat(5_000_000));
  closeSync(theirs);
  await until(() => ends > 0);
  await settled();
  assert.equal(ends, 1);
  assert.equal(channel.isOpen, false);
});

test("what waits for a process that does not read is bounded: later messages are lost, whole ones", async () => {
  const { ours, theirs } = messageChannel();
  const seen: unknown[] = [];
  const sender = open<unknown>(ours, () => {});
  const megabyte = "x".repeat(2 ** 20);
  for (let i = 0; i < 80; i++) sender.send([i, megabyte]);
  const reader = open<[number, string]>(
    theirs,
    ([i]) => seen.push(i),
    () => seen.push("end"),
  );
  await until(() => seen.length >= 64);
  sender.send([80, ""]);
  await until(() => seen.includes(80));
  assert.deepEqual(seen, [...Array(seen.length - 1).keys(), 80]);
  assert.ok(seen.length < 70, `${seen.length} arrived`);
  sender.close();
  reader.close();
});
