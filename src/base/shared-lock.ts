/**
 * A lock in memory that processes share: one word, which holds the id of the process that has it. Made for sections of a few
 * microseconds: who finds it taken spins, then lets others run. A holder that has died does not keep it.
 * Counterpart in nginx: ngx_shmtx_t on atomics, with ngx_shmtx_force_unlock.
 */
import { assert } from "./assert.ts";

/** How processes see each other; ids are positive (process ids). */
export interface SharedLockHost {
  /** False once the process of this id is gone. Asked only after a long wait. */
  isAlive(id: number): boolean;
  /** Lets other processes run (sched_yield). */
  rest(): void;
}

const FREE = 0;
/** Free, and its last holder but for those who could not repair what it protects has died. */
const ABANDONED = -1;
/** Looks at the word before other processes are let run. */
const SPINS = 1024;
/** Rests before the holder is suspected to be dead. */
const RESTS_BEFORE_DOUBT = 16;

export class SharedLock {
  private readonly words: Int32Array;
  private readonly index: number;
  private readonly id: number;
  private readonly host: SharedLockHost;

  /** `words[index]`, 0 at first, is the lock; `id` is this process. */
  constructor(words: Int32Array, index: number, id: number, host: SharedLockHost) {
    assert(id > FREE, "a lock's holder has a positive id");
    this.words = words;
    this.index = index;
    this.id = id;
    this.host = host;
  }

  /** Takes it, however long that takes. True: its holder had died, so what it protects may be half changed. */
  acquire(): boolean {
    const { words, index, id } = this;
    if (Atomics.compareExchange(words, index, FREE, id) === FREE) return false;
    for (let rests = 1; ; rests++) {
      for (let spins = 0; spins < SPINS; spins++) {
        const holder = Atomics.load(words, index);
        if (holder > FREE || Atomics.compareExchange(words, index, holder, id) !== holder) continue;
        return holder === ABANDONED;
      }
      if (rests % RESTS_BEFORE_DOUBT === 0 && this.takeFromDead()) return true;
      this.host.rest();
    }
  }

  private takeFromDead(): boolean {
    const holder = Atomics.load(this.words, this.index);
    assert(holder !== this.id, "a process does not take a lock twice");
    if (holder <= FREE || this.host.isAlive(holder)) return false;
    // Several may have noticed: one of them gets it.
    return Atomics.compareExchange(this.words, this.index, holder, this.id) === holder;
  }

  release(): void {
    const holder = Atomics.compareExchange(this.words, this.index, this.id, FREE);
    assert(holder === this.id, "a lock is released by its holder");
  }

  /** As `release`, but whoever takes it next is told that what it protects may be half changed. */
  leave(): void {
    const holder = Atomics.compareExchange(this.words, this.index, this.id, ABANDONED);
    assert(holder === this.id, "a lock is released by its holder");
  }

  /**
   * Frees it if the process `id`, which is known to have died, had it; whoever takes it next is told. For a parent that hears
   * of the death: its id may be another process' before anybody asks.
   */
  releaseFor(id: number): boolean {
    return Atomics.compareExchange(this.words, this.index, id, ABANDONED) === id;
  }
}
