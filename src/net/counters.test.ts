import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCEPTED, ACTIVE, COUNTER_VALUES, CounterBoard, READING, REQUESTS, WRITING } from "./counters.ts";

test("readers see the sum of all lines; a worker that has gone leaves its sums and nothing that was going on", () => {
  const values = new Float64Array(4 * COUNTER_VALUES);
  const board = new CounterBoard(values);
  const one = board.line(1);
  const two = board.line(2);
  board.open(2);
  board.open(1);
  one[ACCEPTED] = 10;
  one[REQUESTS] = 100;
  one[ACTIVE] = 5;
  one[WRITING] = 2;
  two[ACCEPTED] = 1;
  two[ACTIVE] = 1;
  two[READING] = 1;
  const reader = new CounterBoard(values);
  const expected = { accepted: 11, handled: 0, requests: 100, active: 6, reading: 1, writing: 2, waiting: 3 };
  assert.deepEqual(reader.total(), expected);
  assert.deepEqual([reader.of(2).active, reader.of(2).waiting], [1, 0]);
  board.retire(1);
  assert.deepEqual(reader.total(), { ...expected, active: 1, writing: 0, waiting: 0 });
  assert.equal(reader.of(1).requests, 0);
});

test("connections are numbered from 1, over all workers and beyond 32 bits", () => {
  const values = new Float64Array(2 * COUNTER_VALUES);
  const [board, other] = [new CounterBoard(values), new CounterBoard(values)];
  assert.deepEqual([board.nextConnection(), other.nextConnection(), board.nextConnection()], [1, 2, 3]);
  new Uint32Array(values.buffer, 7 * 8, 1)[0] = 0x7fffffff;
  assert.equal(board.nextConnection(), 0x80000000);
  new Uint32Array(values.buffer, 7 * 8, 1)[0] = 0xfffffffe;
  assert.deepEqual(
    [board.nextConnection(), other.nextConnection(), board.nextConnection()],
    [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1],
  );
  board.retire(1);
  assert.equal(board.nextConnection(), 2 ** 32 + 2);
  assert.equal(board.total().accepted, 0);
});

test("a worker beats on its own line; the next one of the line begins anew", () => {
  const values = new Float64Array(3 * COUNTER_VALUES);
  const [board, master] = [new CounterBoard(values), new CounterBoard(values)];
  master.open(2);
  board.beat(1);
  board.beat(1);
  board.beat(2);
  assert.deepEqual([master.beats(1), master.beats(2)], [2, 1]);
  assert.equal(master.total().accepted, 0);
  master.retire(1);
  assert.deepEqual([master.beats(1), master.beats(2)], [0, 1]);
});
