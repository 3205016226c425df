import assert from "node:assert/strict";
import { test } from "node:test";
import { ZoneDeclarations } from "./zones.ts";

test("a directive may refer to a zone before another one tells its size", () => {
  const zones = new ZoneDeclarations();
  const early = zones.declare("z", 0, "limits");
  assert.equal(zones.declare("z", 65536, "limits"), early);
  assert.equal(zones.declare("z", 0, "limits"), early);
  assert.equal(zones.declare("z", 65536, "limits"), early);
  assert.deepEqual(
    zones.all.map(({ name, sizeBytes }) => [name, sizeBytes]),
    [["z", 65536]],
  );
});

test("two sizes or two purposes contradict each other, in nginx's words", () => {
  const zones = new ZoneDeclarations();
  zones.declare("z", 65536, "limits");
  assert.equal(
    zones.declare("z", 32768, "limits"),
    'the size 32768 of shared memory zone "z" conflicts with already declared size 65536',
  );
  assert.equal(zones.declare("z", 0, "peers"), 'the shared memory zone "z" is already declared for a different use');
  assert.equal(zones.all.length, 1);
});
