/**
 * Counters of all workers on one page that they share: each writes its own line without a lock, readers add up. When a worker
 * has gone, its sums move to line 0 and what was going on in it is no more. nginx: ngx_stat_accepted and its like.
 */
import type { ServiceCounters } from "../io/service.ts";

// Offsets in a line.
export const ACCEPTED = 0;
export const HANDLED = 1;
export const REQUESTS = 2;
export const ACTIVE = 3;
export const READING = 4;
export const WRITING = 5;
/** In a worker's line: how often its loop has shown that it turns. */
const BEATS = 6;
/** In line 0 alone: the last line that was ever used. */
const LAST_LINE = 6;
/** In line 0 alone, as two words of 32 bits, the lower one first: how many connections there have been. */
const CONNECTIONS = 7;
const WORD_SPAN = 2 ** 32;
/** Values a line takes: one cache line, so that workers do not disturb each other. */
export const COUNTER_VALUES = 8;
/** Those that stay when the worker has gone. */
const SUMS = [ACCEPTED, HANDLED, REQUESTS] as const;

export class CounterBoard {
  private readonly values: Float64Array;
  private readonly connections: Int32Array;

  /** `values`, zeros at first, has `COUNTER_VALUES` for each line; workers have the lines from 1. */
  constructor(values: Float64Array) {
    this.values = values;
    const at = values.byteOffset + CONNECTIONS * Float64Array.BYTES_PER_ELEMENT;
    this.connections = new Int32Array(values.buffer, at, 2);
  }

  /** The number of a new connection, to a client or to an upstream: from 1 on, and no other worker's. nginx: ngx_connection_counter. */
  nextConnection(): number {
    const { connections } = this;
    const low = (Atomics.add(connections, 0, 1) + 1) >>> 0;
    const high = low === 0 ? Atomics.add(connections, 1, 1) + 1 : (connections[1] as number);
    return high * WORD_SPAN + low;
  }

  /** A worker is going to have this line: readers look at it from now on. */
  open(slot: number): void {
    this.values[LAST_LINE] = Math.max(slot, this.values[LAST_LINE] as number);
  }

  /** A worker's own values. */
  line(slot: number): Float64Array {
    return this.values.subarray(slot * COUNTER_VALUES, (slot + 1) * COUNTER_VALUES);
  }

  /** The worker of this line is alive. */
  beat(slot: number): void {
    const at = slot * COUNTER_VALUES + BEATS;
    this.values[at] = (this.values[at] as number) + 1;
  }

  beats(slot: number): number {
    return this.values[slot * COUNTER_VALUES + BEATS] as number;
  }

  of(slot: number): ServiceCounters {
    return countersOf(this.line(slot));
  }

  /** Of all workers since the master began. */
  total(): ServiceCounters {
    const sum = new Float64Array(COUNTER_VALUES);
    const { values } = this;
    const end = ((values[LAST_LINE] as number) + 1) * COUNTER_VALUES;
    for (let line = 0; line < end; line += COUNTER_VALUES) {
      for (let i = 0; i <= WRITING; i++) sum[i] = (sum[i] as number) + (values[line + i] as number);
    }
    return countersOf(sum);
  }

  /** The worker of this line has gone. */
  retire(slot: number): void {
    const line = this.line(slot);
    const past = this.line(0);
    for (const index of SUMS) past[index] = (past[index] as number) + (line[index] as number);
    line.fill(0);
  }
}

function countersOf(line: Float64Array): ServiceCounters {
  const [accepted = 0, handled = 0, requests = 0, active = 0, reading = 0, writing = 0] = line;
  return { accepted, handled, requests, active, reading, writing, waiting: Math.max(0, active - reading - writing) };
}
