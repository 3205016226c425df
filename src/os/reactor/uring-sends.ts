/**
 * Small answers on their way into the kernel with the next call of the turn: copied into a slot here, sent without waiting
 * (MSG_DONTWAIT), and told of only when a socket took less (CQE_SKIP_SUCCESS). Whatever a call has submitted is therefore
 * settled when it returns: sent, unless a completion says otherwise.
 */
import { copyView } from "../../base/bytes.ts";
import type { Memory } from "../../io/memory.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL } from "../ffi/sockets.ts";
import { OP_LINK_TIMEOUT, OP_NOP, OP_SEND, SQE_LINK, SQE_SKIP_SUCCESS } from "../ffi/uring.ts";
import { allocateMemory } from "../memory.ts";
import type { UringRing } from "./uring-ring.ts";

/** The largest piece that is copied: a system call of its own costs less than copying more. */
export const SLOT_BYTES = 4096;
/** Up to here a loop copies. */
const SHORT_BYTES = 128;
/** Pieces of one turn; what comes beyond is sent by system calls. */
const SLOTS = 256;
/** How long the last piece of a closed socket is offered to a peer that doesn't read. */
const LINGER_S = 60;

const SEND_WORD = OP_SEND | (SQE_SKIP_SUCCESS << 8);
const LINGER_WORD = OP_SEND | (SQE_LINK << 8);
const TIMEOUT_WORD = OP_LINK_TIMEOUT | (SQE_SKIP_SUCCESS << 8);

/** Whoever sends a piece. */
export interface Sender {
  readonly fd: number;
  /** The piece is gone. */
  onSent(): void;
  /** The socket took fewer bytes: a count, or -errno. The slot is the sender's until `free`. */
  onUnsent(result: number): void;
}

/** Memory that pieces come from. */
interface Source {
  readonly memory: Memory;
  readonly view: DataView;
}

function sourceOf(memory: Memory): Source {
  const { buffer, byteOffset, length } = memory.bytes;
  return { memory, view: new DataView(buffer, byteOffset, length) };
}

/** User data that nothing else uses: second words, and a first word that nobody looks at. */
export interface SendTags {
  readonly send: number;
  readonly linger: number;
  readonly silentSlot: number;
}

/** The slots of one reactor. */
export class UringSends {
  readonly memory: Memory = allocateMemory(SLOTS * SLOT_BYTES);
  private readonly ring: UringRing;
  private readonly tags: SendTags;
  private readonly onSubmit: () => void;
  private readonly timeout: Memory = allocateMemory(16);
  private readonly freeSlots: number[] = Array.from({ length: SLOTS }, (_, slot) => slot);
  private readonly senders: (Sender | undefined)[] = new Array(SLOTS).fill(undefined);
  /** Of each slot: where its submission is in the ring. */
  private readonly positions = new Int32Array(SLOTS);
  private readonly view = sourceOf(this.memory).view;
  /** The two that were used last: a worker has one for answers and one for requests to its upstreams. */
  private latest = sourceOf(this.memory);
  private previous = this.latest;
  /** Submitted or about to be, outcome unknown: the first so many. The lists are never shortened: that is a call into the runtime. */
  private queued: number[] = [];
  private queuedCount = 0;
  private settling: number[] = [];
  /** A sender can't go on before it knows what has become of its piece: the call that sends it must not wait for anything else. */
  isAwaited = false;

  /** `onSubmit` sees to it that the kernel is called soon. */
  constructor(ring: UringRing, tags: SendTags, onSubmit: () => void) {
    this.ring = ring;
    this.onSubmit = onSubmit;
    this.tags = tags;
    new BigInt64Array(this.timeout.bytes.buffer, this.timeout.bytes.byteOffset, 1)[0] = BigInt(LINGER_S);
  }

  /** True when nothing is on its way. */
  get isIdle(): boolean {
    return this.freeSlots.length === SLOTS;
  }

  /** Takes at most SLOT_BYTES bytes: the slot that has them, or -1 when none is free. */
  send(sender: Sender, memory: Memory, offset: number, sizeBytes: number): number {
    const slot = this.freeSlots.pop();
    if (slot === undefined) return -1;
    const start = slot * SLOT_BYTES;
    if (sizeBytes <= SHORT_BYTES) copyView(this.view, start, this.viewOf(memory), offset, sizeBytes);
    else this.memory.bytes.set(memory.bytes.subarray(offset, offset + sizeBytes), start);
    this.senders[slot] = sender;
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
    const address = this.memory.address + start;
    this.positions[slot] = this.ring.submit(SEND_WORD, sender.fd, address, sizeBytes, flags, slot, this.tags.send);
    this.queued[this.queuedCount++] = slot;
    this.onSubmit();
    return slot;
  }

  private viewOf(memory: Memory): DataView {
    if (this.latest.memory !== memory) {
      const { previous } = this;
      this.previous = this.latest;
      this.latest = previous.memory === memory ? previous : sourceOf(memory);
    }
    return this.latest.view;
  }

  /** After every call of the kernel: tells the senders what has become of their pieces. */
  settle(): void {
    const count = this.queuedCount;
    if (count === 0 || this.ring.hasPending) return;
    this.isAwaited = false;
    const { queued } = this;
    this.queued = this.settling;
    this.queuedCount = 0;
    this.settling = queued;
    this.ring.extract(this.tags.send, this.tags.silentSlot, this.onUnsent);
    for (let i = 0; i < count; i++) {
      const slot = queued[i] as number;
      const sender = this.senders[slot];
      if (sender === undefined) continue;
      this.free(slot);
      sender.onSent();
    }
  }

  private readonly onUnsent = (slot: number, result: number): boolean => {
    const sender = this.senders[slot];
    this.senders[slot] = undefined;
    sender?.onUnsent(result);
    return true;
  };

  /** The slot's piece is gone, or not needed. */
  free(slot: number): void {
    this.senders[slot] = undefined;
    this.freeSlots.push(slot);
  }

  /** True while the kernel hasn't seen the piece. */
  canRevoke(slot: number): boolean {
    return this.senders[slot] !== undefined && this.ring.isPending(this.positions[slot] as number);
  }

  /** Takes a piece back that the kernel hasn't seen. The slot is the caller's until `free`. */
  revoke(slot: number): void {
    this.ring.replace(this.positions[slot] as number, OP_NOP | (SQE_SKIP_SUCCESS << 8), this.tags.silentSlot);
    this.senders[slot] = undefined;
  }

  /**
   * Leaves a part of a slot to the kernel, which sends it though the descriptor is closed next, for a minute at most. The slot is
   * free when that is over: `onLingered`.
   */
  linger(fd: number, slot: number, offset: number, sizeBytes: number): void {
    const { address } = this.memory;
    // Both must come in one call, or the time-out would be an operation of its own.
    this.ring.reserve(2);
    const flags = MSG_NOSIGNAL | MSG_WAITALL;
    const from = address + slot * SLOT_BYTES + offset;
    this.ring.submit(LINGER_WORD, fd, from, sizeBytes, flags, slot, this.tags.linger);
    this.ring.submit(TIMEOUT_WORD, -1, this.timeout.address, 1, 0, this.tags.silentSlot, 0);
  }

  /** The completion of `linger`. */
  onLingered(slot: number): void {
    this.free(slot);
  }
}
