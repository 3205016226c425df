/** The leaky bucket against nginx's integer arithmetic, written out with 64-bit integers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { Zone } from "../base/zone.ts";
import { BUSY, COUNTED, PROMISED, RequestRates } from "./limit-req.ts";

/** One bucket as ngx_http_limit_req_lookup and _account treat it. */
class Model {
  private readonly rate: bigint;
  private last: bigint | undefined = undefined;
  private excess = 0n;

  constructor(rate: number) {
    this.rate = BigInt(rate);
  }

  /** Excess after a request at `now`, and the time since the last one. */
  private after(now: bigint): { readonly excess: bigint; readonly ms: bigint } {
    if (this.last === undefined) return { excess: 0n, ms: 1n };
    let ms = now - this.last;
    if (ms < -60_000n) ms = 1n;
    else if (ms < 0n) ms = 0n;
    const excess = this.excess - (this.rate * ms) / 1000n + 1000n;
    return { excess: excess < 0n ? 0n : excess, ms };
  }

  look(now: bigint, burst: bigint, isLast: boolean): { readonly result: number; readonly excess: bigint } {
    const { excess, ms } = this.after(now);
    const isNew = this.last === undefined;
    if (!isNew && excess > burst) return { result: BUSY, excess };
    if (isLast) this.store(now, excess, ms);
    return { result: isLast ? COUNTED : PROMISED, excess };
  }

  account(now: bigint): bigint {
    const { excess, ms } = this.after(now);
    this.store(now, excess, ms);
    return excess;
  }

  private store(now: bigint, excess: bigint, ms: bigint): void {
    this.excess = excess;
    if (ms !== 0n) this.last = now;
  }
}

const host = { isAlive: () => true, rest: () => {} };
const step = fc.record({
  /** Clocks of workers differ a little; one that was set differs a lot. */
  elapsedMs: fc.oneof(fc.integer({ min: -5, max: 3000 }), fc.integer({ min: -100_000, max: 10_000_000 })),
  burst: fc.nat({ max: 20 }),
  isLast: fc.boolean(),
  isRefused: fc.boolean(),
});

test("every look leaves what nginx would have left", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 1_000_000_000 })),
      fc.array(step, { maxLength: 60, size: "max" }),
      (rate, steps) => {
        const zone = new Zone("z", new Int32Array(4096), { processId: 1, host });
        const rates = new RequestRates(zone, rate, 1);
        const model = new Model(rate);
        const key = fromLatin1("key");
        let now = 200_000;
        for (const { elapsedMs, burst, isLast, isRefused } of steps) {
          now = Math.max(0, now + elapsedMs);
          const expected = model.look(BigInt(now), BigInt(burst) * 1000n, isLast);
          assert.equal(rates.look(key, key.length, burst * 1000, now, isLast), expected.result);
          assert.equal(BigInt(rates.excess), expected.excess);
          if (expected.result !== PROMISED) continue;
          if (isRefused) {
            // nginx keeps the entry that it made with a last look at 0, where the bucket has long run dry.
            rates.forget();
            continue;
          }
          assert.equal(rates.account(now), true);
          assert.equal(BigInt(rates.excess), model.account(BigInt(now)));
        }
      },
    ),
  );
});
