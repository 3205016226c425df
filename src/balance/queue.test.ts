import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "./queue.ts";

const named = (name: string): { name: string } => ({ name });

test("there are so many places, and who leaves makes room", () => {
  const queue = new Queue<object>(2, 1000);
  const [a, b, c] = [named("a"), named("b"), named("c")];
  assert.deepEqual([queue.join(a, 0), queue.join(b, 0), queue.join(c, 0)], [true, true, false]);
  queue.leave(a);
  assert.equal(queue.join(c, 0), true);
  assert.equal(queue.size, 2);
});

test("the first is served first, until there is no peer", () => {
  const queue = new Queue<{ name: string }>(5, 1000);
  for (const name of ["a", "b", "c"]) queue.join(named(name), 0);
  let free = 2;
  const served: string[] = [];
  const offer = (): boolean => {
    queue.serve(
      () => assert.fail("a round is already running"),
      () => {},
    );
    if (free === 0) return false;
    free--;
    return true;
  };
  const told = (ticket: { name: string }): void => {
    served.push(ticket.name);
  };
  queue.serve(offer, told);
  assert.deepEqual([served, queue.size], [["a", "b"], 1]);
  queue.join(named("d"), 0);
  free = 1;
  queue.serve(offer, told);
  assert.deepEqual(served, ["a", "b", "c"], "c has kept its place");
});

test("who has waited too long is told, and the next such time", () => {
  const queue = new Queue<{ name: string }>(5, 1000);
  queue.join(named("a"), 0);
  queue.join(named("b"), 500);
  const gone: string[] = [];
  assert.equal(
    queue.expire(999, ({ name }) => gone.push(name)),
    1000,
  );
  assert.equal(
    queue.expire(1000, ({ name }) => gone.push(name)),
    1500,
  );
  assert.equal(
    queue.expire(1500, ({ name }) => gone.push(name)),
    undefined,
  );
  assert.deepEqual(gone, ["a", "b"]);
});

test("who has been served may come back at once, behind the others", () => {
  const queue = new Queue<{ name: string }>(5, 1000);
  for (const name of ["a", "b"]) queue.join(named(name), 0);
  const served: string[] = [];
  queue.serve(
    () => served.length < 3,
    (ticket) => {
      served.push(ticket.name);
      queue.join(ticket, 0);
    },
  );
  assert.deepEqual([served, queue.size], [["a", "b", "a"], 2]);
});
