/** Assertions stay on in production: a broken invariant ends the process before it can do harm. */

/** A broken invariant: a defect of this program, never of its input. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws `AssertionError` unless `condition` holds. For invariants only: malformed input is a value, not an assertion. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(`assertion failed: ${what}`);
}

/** Marks a case that the types exclude. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable case: ${String(value)}`);
}
