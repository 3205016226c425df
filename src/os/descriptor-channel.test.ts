import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { DescriptorMessages, descriptorChannel } from "./descriptor-channel.ts";
import { SystemError } from "./errno.ts";
import { F_GETFD, FD_CLOEXEC, fcntl } from "./ffi/files.ts";

test("descriptors arrive in order, in several messages when they are many, and close on exec", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "descriptors-"));
  const files = [1, 2, 3].map((n) => openSync(path.join(folder, `${n}`), "w"));
  const inode = (fd: number): number => fstatSync(fd).ino;
  const { ours, theirs } = descriptorChannel();
  const messages = new DescriptorMessages();
  const sent = Array.from({ length: 300 }, (_, index) => files[index % 3] as number);
  assert.equal(messages.send(ours, sent), 0);
  const received = messages.receive(theirs, sent.length);
  assert.deepEqual(received.map(inode), sent.map(inode));
  assert.equal(new Set([...received, ...files]).size, 303);
  for (const fd of received) assert.equal(fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
  for (const fd of [...received, ...files, ours, theirs]) closeSync(fd);
  rmSync(folder, { recursive: true });
});

test("a channel whose other end has gone tells so in both directions", () => {
  const messages = new DescriptorMessages();
  const { ours, theirs } = descriptorChannel();
  closeSync(theirs);
  assert.equal(messages.send(ours, [0]), 32, "EPIPE");
  assert.throws(() => messages.receive(ours, 1), SystemError);
  closeSync(ours);
});
