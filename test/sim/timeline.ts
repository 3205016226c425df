/** Virtual time: tasks run in the order of their instants, and nothing takes any time. */

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap of tasks. */
export class Timeline {
  readonly #heap: Task[] = [];
  #order = 0;
  nowMs = 0;

  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs: Math.max(atMs, this.nowMs), order: this.#order++, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i] as Task, heap[parent] as Task)) break;
      swap(heap, i, parent);
      i = parent;
    }
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Runs everything up to `endMs`; `after` follows every task. */
  runUntil(endMs: number, after: () => void): void {
    for (let task = this.#heap[0]; task !== undefined && task.atMs <= endMs; task = this.#heap[0]) {
      this.#pop();
      this.nowMs = task.atMs;
      task.run();
      after();
    }
    this.nowMs = endMs;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Task;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < heap.length && isBefore(heap[left] as Task, heap[least] as Task)) least = left;
      if (right < heap.length && isBefore(heap[right] as Task, heap[least] as Task)) least = right;
      if (least === i) return;
      swap(heap, i, least);
      i = least;
    }
  }
}

function swap(heap: Task[], i: number, j: number): void {
  const task = heap[i] as Task;
  heap[i] = heap[j] as Task;
  heap[j] = task;
}

function isBefore(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
