import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import type { Level } from "../base/log.ts";
import { Zone } from "../base/zone.ts";
import type { ZoneDeclaration } from "../conf/zones.ts";
import { kernelLockHost } from "../os/shared-memory.ts";
import type { ZoneDescriptor } from "./messages.ts";
import { mapZone } from "./zone-memory.ts";
import { type PreparedZones, ZoneSet } from "./zone-set.ts";

const KIB = 1024;

function declare(name: string, more: Partial<ZoneDeclaration> = {}): ZoneDeclaration {
  return { name, purpose: "test", sizeBytes: 64 * KIB, isRenewed: false, key: undefined, ...more };
}

function setUp(): { readonly set: ZoneSet; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (level: Level, message: string): void => void lines.push(`[${level}] ${message}`);
  return { set: new ZoneSet({ write, enabled: () => true }), lines };
}

/** The zone as a worker with this id sees it. */
function open({ name, fd, sizeBytes }: Omit<ZoneDescriptor, "previous">, processId = process.pid): Zone {
  return new Zone(name, mapZone(fd, sizeBytes).words, { processId, host: kernelLockHost });
}

function only(prepared: PreparedZones | undefined): ZoneDescriptor {
  assert.equal(prepared?.descriptors.length, 1);
  return prepared?.descriptors[0] as ZoneDescriptor;
}

test("a zone whose name, size and purpose stay is the same memory", () => {
  const { set } = setUp();
  const first = set.prepare([declare("z")]);
  const { fd } = only(first);
  first?.commit();
  const second = set.prepare([declare("z")]);
  assert.deepEqual(only(second), { name: "z", sizeBytes: 64 * KIB, fd, previous: undefined });
  second?.commit();
  fstatSync(fd);
});

test("another size, another purpose and a renewed zone are other memory; the former goes along until the reload is done", () => {
  for (const change of [{ sizeBytes: 65 * KIB }, { purpose: "other" }, { isRenewed: true }]) {
    const { set } = setUp();
    const first = set.prepare([declare("z")]);
    first?.commit();
    const { fd: before } = only(first);
    (open(only(first)).region("r", 1) as Int32Array)[0] = 5;
    const second = set.prepare([declare("z", change)]);
    const now = only(second);
    assert.notEqual(now.fd, before);
    assert.equal(open(now).find("r"), undefined);
    assert.deepEqual(now.previous, { fd: before, sizeBytes: 64 * KIB });
    assert.equal(open({ name: "z", ...(now.previous as { fd: number; sizeBytes: number }) }).find("r")?.[0], 5);
    second?.commit();
    assert.equal(only(second).previous, undefined);
    assert.throws(() => fstatSync(before));
  }
});

test("a reload that is given up leaves everything as it was", () => {
  const { set } = setUp();
  const first = set.prepare([declare("z")]);
  first?.commit();
  const { fd } = only(first);
  const second = set.prepare([declare("z", { sizeBytes: 65 * KIB }), declare("new")]);
  const made = second?.descriptors.map((one) => one.fd) ?? [];
  second?.abandon();
  for (const gone of made) assert.throws(() => fstatSync(gone));
  assert.equal(only(set.prepare([declare("z")])).fd, fd);
});

test("what a zone is keyed by cannot change while it stays", () => {
  const { set, lines } = setUp();
  const keyed = (text: string, sizeBytes = 64 * KIB) =>
    declare("z", { sizeBytes, key: { text, complain: (before) => `z uses ${text}, not ${before}` } });
  set.prepare([keyed("$a")])?.commit();
  assert.equal(set.prepare([declare("other"), keyed("$b")]), undefined);
  assert.deepEqual(lines, ["[emerg] z uses $b, not $a"]);
  assert.notEqual(set.prepare([keyed("$b", 65 * KIB)]), undefined);
});

test("what a dead worker has locked is free, in zones of the former configuration as well", () => {
  const { set, lines } = setUp();
  const first = set.prepare([declare("z")]);
  first?.commit();
  const worker = 2 ** 30;
  const old = open(only(first), worker);
  const second = set.prepare([declare("z", { sizeBytes: 65 * KIB })]);
  old.lock.acquire();
  open(only(second), worker).lock.acquire();
  set.release(worker);
  assert.deepEqual(lines, [
    `[alert] shared memory zone "z" was locked by ${worker}`,
    `[alert] shared memory zone "z" was locked by ${worker}`,
  ]);
  const other = open(only(second));
  assert.equal(other.lock.acquire(), true);
  other.lock.release();
});
