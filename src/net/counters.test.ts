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
