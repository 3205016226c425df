/**
 * Who has counted what in a zone. Beside every line (64 bytes) of the zone each worker has a word: what it has added to the
 * counter in that line and not yet taken back. When a worker is killed, the others take that back for it. nginx has no
 * counterpart: what a killed worker has counted stays.
 */

/** Words of a zone that share a word of a ledger; a line has one counter of this kind. */
const LINE_WORDS = 16;
/** Workers that have a ledger. All others count in one more together: nobody takes that back, but sums are whole. */
export const LEDGER_SLOTS = 64;
/** In place of the zone's first line, which has no counter: the id of the process that writes here. */
const OWNER = 0;

/** A worker that has died: its slot, and its process id. */
export interface Debtor {
  readonly slot: number;
  readonly processId: number;
}

/** Words of all ledgers of a zone. The kernel gives pages only to what is touched. */
export function ledgerWords(zoneWords: number): number {
  return (LEDGER_SLOTS + 1) * Math.ceil(zoneWords / LINE_WORDS);
}

export class ZoneLedger {
  private readonly words: Int32Array;
  private readonly lines: number;
  /** Where this worker's part begins, or that of all who have none of their own. */
  private readonly own: number;
  private readonly isShared: boolean;

  /** `words` are zeros at first. The part of `slot` is this process' from now on. */
  constructor(words: Int32Array, zoneWords: number, { slot, processId }: Debtor) {
    this.words = words;
    this.lines = Math.ceil(zoneWords / LINE_WORDS);
    this.isShared = slot >= LEDGER_SLOTS;
    this.own = Math.min(slot, LEDGER_SLOTS) * this.lines;
    if (!this.isShared) words[this.own + OWNER] = processId;
  }

  /** This worker changes the counter at word `at` of the zone by so much. Call with the zone's lock held. */
  add(at: number, by: number): void {
    const index = this.own + Math.floor(at / LINE_WORDS);
    this.words[index] = (this.words[index] as number) + by;
  }

  /**
   * What a dead worker has counted at word `at`, which is forgotten by this; undefined: whoever had this worker's slot before
   * it. 0 as well when somebody else has its slot by now, and has taken over what it left. Call with the zone's lock held.
   */
  take(debtor: Debtor | undefined, at: number): number {
    const { words, lines } = this;
    if (debtor !== undefined) {
      const { slot, processId } = debtor;
      if (slot >= LEDGER_SLOTS || words[slot * lines + OWNER] !== processId) return 0;
    } else if (this.isShared) return 0;
    const index = (debtor === undefined ? this.own : debtor.slot * lines) + Math.floor(at / LINE_WORDS);
    const held = words[index] as number;
    words[index] = 0;
    return held;
  }

  /** What all have counted at word `at`: the counter's value, should its last change be unfinished. Call with the zone's lock held. */
  total(at: number): number {
    const { words, lines } = this;
    const line = Math.floor(at / LINE_WORDS);
    let total = 0;
    for (let slot = 0; slot <= LEDGER_SLOTS; slot++) total += words[slot * lines + line] as number;
    return total;
  }
}
