/** A histogram of microseconds, log-linear: 32 steps for each doubling, so every value is known to 3 %. */

const STEP_BITS = 5;
const STEPS = 1 << STEP_BITS;
const DOUBLINGS = 26; // up to a minute

export class Histogram {
  readonly #counts = new Uint32Array(STEPS * (DOUBLINGS + 1));
  #total = 0;
  #maxUs = 0;

  add(us: number): void {
    const value = Math.max(0, Math.floor(us));
    this.#counts[indexOf(value)]!++;
    this.#total++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  get total(): number {
    return this.#total;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** The value below which `part` (0 … 1) of all lie, as the upper bound of its step; NaN when nothing was added. */
  quantileUs(part: number): number {
    if (this.#total === 0) return Number.NaN;
    let left = Math.ceil(part * this.#total);
    for (let i = 0; i < this.#counts.length; i++) {
      left -= this.#counts[i] as number;
      if (left <= 0) return Math.min(this.#maxUs, upperBoundOf(i));
    }
    return this.#maxUs;
  }

  /** How many are above `us`, to the precision of a step. */
  above(us: number): number {
    let count = 0;
    for (let i = indexOf(Math.floor(us)) + 1; i < this.#counts.length; i++) count += this.#counts[i] as number;
    return count;
  }

  /** For another process: `[index, count]` of every step that is not empty. */
  toJSON(): { readonly maxUs: number; readonly steps: readonly (readonly [number, number])[] } {
    const steps = [...this.#counts].flatMap((count, index) => (count === 0 ? [] : [[index, count] as const]));
    return { maxUs: this.#maxUs, steps };
  }

  /** Adds what another one has counted. */
  merge({ maxUs, steps }: ReturnType<Histogram["toJSON"]>): void {
    for (const [index, count] of steps) {
      this.#counts[index]! += count;
      this.#total += count;
    }
    this.#maxUs = Math.max(this.#maxUs, maxUs);
  }
}

function indexOf(value: number): number {
  if (value < STEPS) return value;
  const doubling = 31 - Math.clz32(value) - STEP_BITS;
  return Math.min((doubling + 1) * STEPS + ((value >> doubling) - STEPS), STEPS * (DOUBLINGS + 1) - 1);
}

function upperBoundOf(index: number): number {
  if (index < STEPS) return index + 1;
  const doubling = Math.floor(index / STEPS) - 1;
  return ((index % STEPS) + STEPS + 1) * 2 ** doubling;
}
