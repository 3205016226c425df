/** The page on which workers count, and who has which line of it. nginx: the shared memory of ngx_event_module_init. */
import { COUNTER_VALUES, CounterBoard } from "../net/counters.ts";
import { createSharedMemory, mapSharedMemory } from "../os/shared-memory.ts";

/** Lines: the one of past workers, and as many living ones of all generations. */
export const BOARD_SLOTS = 4096;
const BOARD_BYTES = BOARD_SLOTS * COUNTER_VALUES * Float64Array.BYTES_PER_ELEMENT;

/** The board over a descriptor of its memory. */
export function openBoard(fd: number): CounterBoard {
  const { memory } = mapSharedMemory(fd, BOARD_BYTES);
  return new CounterBoard(new Float64Array(memory.bytes.buffer, memory.bytes.byteOffset, BOARD_SLOTS * COUNTER_VALUES));
}

/** The master's: hands out lines. */
export class WorkerBoard {
  readonly fd = createSharedMemory("counters", BOARD_BYTES);
  readonly counters = openBoard(this.fd);
  private readonly taken = new Set<number>();

  /** The lowest free line, for a worker that is about to start. Beyond the last one workers share it. */
  take(): number {
    let slot = 1;
    while (this.taken.has(slot) && slot < BOARD_SLOTS - 1) slot++;
    this.taken.add(slot);
    this.counters.open(slot);
    return slot;
  }

  /** The worker of this line has gone. */
  release(slot: number): void {
    this.counters.retire(slot);
    this.taken.delete(slot);
  }
}
