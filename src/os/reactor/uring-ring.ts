/**
 * A ring of io_uring: submissions are written into shared memory and reach the kernel in one call, which brings what has been
 * completed. All is done by this thread inside `enter` (DEFER_TASKRUN), so nothing here changes under our hands.
 */
import type { Memory } from "../../io/memory.ts";
import { EBUSY, EINTR, ENOMEM, ETIME, type SystemError, systemError } from "../errno.ts";
import { close, read } from "../ffi/files.ts";
import { MAP_FAILED, MAP_POPULATE, MAP_SHARED, mmap, munmap, PROT_READ, PROT_WRITE } from "../ffi/memory.ts";
import { bytesAt, errno } from "../ffi/native.ts";
import {
  BUFFER_WORDS,
  CQ_EVENTFD_DISABLED,
  CQE_WORDS,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  ENTER_EXT_ARG,
  ENTER_GETEVENTS,
  eventfd,
  FEAT_SINGLE_MMAP,
  ioUringEnter,
  ioUringRegister,
  ioUringSetup,
  OFFSET_RINGS,
  OFFSET_SQES,
  OP_ACCEPT,
  PARAMS_BYTES,
  PARAMS_CQ_CQES,
  PARAMS_CQ_ENTRIES,
  PARAMS_CQ_FLAGS,
  PARAMS_CQ_HEAD,
  PARAMS_CQ_TAIL,
  PARAMS_FEATURES,
  PARAMS_FLAGS,
  PARAMS_SQ_ARRAY,
  PARAMS_SQ_ENTRIES,
  PARAMS_SQ_TAIL,
  REGISTER_EVENTFD,
  REGISTER_PBUF_RING,
  SETUP_CQSIZE,
  SETUP_DEFER_TASKRUN,
  SETUP_SINGLE_ISSUER,
  SQE_ADDRESS,
  SQE_ADDRESS2,
  SQE_BUFFER_GROUP,
  SQE_FD,
  SQE_LENGTH,
  SQE_OP_FLAGS,
  SQE_USER_DATA,
  SQE_WORDS,
} from "../ffi/uring.ts";
import { allocateMemory } from "../memory.ts";

/** Submissions that fit before the kernel must be called. */
const SUBMISSIONS = 1024;
/** Completions that fit; beyond it the kernel keeps them itself (IORING_FEAT_NODROP), at more cost. */
const COMPLETIONS = 4096;
/** Buffers that the kernel puts received data into, taken in turn: small requests touch the beginning of each, large bodies need few of them. */
const BUFFERS = 128;
/** Buffers that the kernel is given in the place of those that are kept. */
const SPARE_BUFFERS = 128;
export const BUFFER_BYTES = 32 * 1024;
const BUFFER_GROUP = 0;
const HIGH = 2 ** 32;

/** Offsets in the page of small structures. */
const REGISTRATION_OFFSET = 128;
const REGISTRATION_BYTES = 40;
const GETEVENTS_OFFSET = 192;
const GETEVENTS_BYTES = 24;
const TIMESPEC_OFFSET = 256;
const SCRATCH_OFFSET = 512;

/** The completion that `next` has found. */
export interface Completion {
  /** The two words of a submission's user data. */
  low: number;
  high: number;
  /** Of the operation: 0 or more, or -errno. */
  result: number;
  flags: number;
}

const SETUP_FLAGS = SETUP_CQSIZE | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;

/** Why this process can't have a ring; undefined when it can. */
export function probeRing(): SystemError | undefined {
  const page = allocateMemory(PARAMS_BYTES);
  const params = wordsOf(page);
  params[PARAMS_CQ_ENTRIES] = 8;
  params[PARAMS_FLAGS] = SETUP_FLAGS;
  const fd = ioUringSetup(4, page.address);
  if (fd < 0) return systemError("io_uring_setup", errno());
  close(fd);
  return undefined;
}

/** One ring with one group of buffers. Throws a system error when the kernel doesn't allow one, or is older than Linux 6.1. */
export class UringRing {
  /** Readable when something has been completed while nobody was in `enter`, see `sleep`. */
  readonly eventFd: number;
  private readonly fd: number;
  /** Where received data is: buffer number `n` begins at `n * BUFFER_BYTES`. */
  readonly buffers: Memory;
  readonly completion: Completion = { low: 0, high: 0, result: 0, flags: 0 };
  private readonly page: Memory = allocateMemory(1);
  private readonly words: Int32Array;
  private readonly rings: Int32Array;
  private readonly submissions: Int32Array;
  private readonly bufferRing: Memory;
  private readonly bufferWords: Int32Array;
  private readonly sqTail: number;
  private readonly cqFlags: number;
  private readonly cqHead: number;
  private readonly cqTail: number;
  private readonly cqes: number;
  private readonly cqMask: number;
  private readonly mappings: { readonly address: number; readonly sizeBytes: number }[] = [];
  private tail = 0;
  /** Written and not submitted yet. */
  private pending = 0;
  private bufferTail = 0;
  /** The last that came back first: its bytes may still be in the processor's cache. */
  private readonly spareBuffers = Array.from({ length: SPARE_BUFFERS }, (_, i) => BUFFERS + i);

  constructor() {
    this.words = wordsOf(this.page);
    const params = this.words.subarray(0, PARAMS_BYTES / 4);
    params[PARAMS_CQ_ENTRIES] = COMPLETIONS;
    params[PARAMS_FLAGS] = SETUP_FLAGS;
    this.fd = ioUringSetup(SUBMISSIONS, this.page.address);
    if (this.fd < 0) throw systemError("io_uring_setup", errno());
    const at = (word: number): number => params[word] as number;
    this.eventFd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    this.sqTail = at(PARAMS_SQ_TAIL) >> 2;
    this.cqFlags = at(PARAMS_CQ_FLAGS) >> 2;
    this.cqHead = at(PARAMS_CQ_HEAD) >> 2;
    this.cqTail = at(PARAMS_CQ_TAIL) >> 2;
    this.cqes = at(PARAMS_CQ_CQES) >> 2;
    this.cqMask = at(PARAMS_CQ_ENTRIES) - 1;
    this.buffers = allocateMemory((BUFFERS + SPARE_BUFFERS) * BUFFER_BYTES);
    this.bufferRing = allocateMemory(BUFFERS * BUFFER_WORDS * 4);
    this.bufferWords = wordsOf(this.bufferRing);
    try {
      if ((at(PARAMS_FEATURES) & FEAT_SINGLE_MMAP) === 0) throw systemError("io_uring_setup", ENOMEM, "features");
      const sqBytes = at(PARAMS_SQ_ARRAY) + SUBMISSIONS * 4;
      const cqBytes = at(PARAMS_CQ_CQES) + at(PARAMS_CQ_ENTRIES) * CQE_WORDS * 4;
      this.rings = this.map(Math.max(sqBytes, cqBytes), OFFSET_RINGS);
      this.submissions = this.map(at(PARAMS_SQ_ENTRIES) * SQE_WORDS * 4, OFFSET_SQES);
      for (let i = 0; i < SUBMISSIONS; i++) this.rings[(at(PARAMS_SQ_ARRAY) >> 2) + i] = i;
      this.registerBuffers();
      this.registerEventFd();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private map(sizeBytes: number, offset: number): Int32Array {
    const address = mmap(0, sizeBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, this.fd, offset);
    if (address === MAP_FAILED) throw systemError("mmap", errno(), "of an io_uring");
    this.mappings.push({ address, sizeBytes });
    const bytes = bytesAt(address, sizeBytes);
    return new Int32Array(bytes.buffer, bytes.byteOffset, sizeBytes >> 2);
  }

  private registerBuffers(): void {
    const registration = new DataView(
      this.page.bytes.buffer,
      this.page.bytes.byteOffset + REGISTRATION_OFFSET,
      REGISTRATION_BYTES,
    );
    registration.setBigUint64(0, BigInt(this.bufferRing.address), true);
    registration.setUint32(8, BUFFERS, true);
    registration.setUint16(12, BUFFER_GROUP, true);
    if (ioUringRegister(this.fd, REGISTER_PBUF_RING, this.page.address + REGISTRATION_OFFSET, 1) < 0) {
      throw systemError("io_uring_register", errno());
    }
    for (let number = 0; number < BUFFERS; number++) this.returnBuffer(number);
  }

  /** The ring's own descriptor doesn't become readable for work that waits to be done in `enter`; an eventfd does. */
  private registerEventFd(): void {
    if (this.eventFd < 0) throw systemError("eventfd", errno());
    this.words[SCRATCH_OFFSET >> 2] = this.eventFd;
    if (ioUringRegister(this.fd, REGISTER_EVENTFD, this.page.address + SCRATCH_OFFSET, 1) < 0) {
      throw systemError("io_uring_register", errno(), "of an eventfd");
    }
    this.awake();
  }

  /** From now on the eventfd stays silent. */
  awake(): void {
    this.rings[this.cqFlags] = CQ_EVENTFD_DISABLED;
  }

  /** Submits what waits and returns; from now on completions make the eventfd readable. */
  sleep(): void {
    this.rings[this.cqFlags] = 0;
    // What came since the last call has told nobody.
    this.enter(0);
  }

  /** Makes the eventfd unreadable again. */
  clearEvent(): void {
    read(this.eventFd, this.page.address + SCRATCH_OFFSET, 8);
  }

  /** Lets the kernel fill this buffer again. */
  returnBuffer(number: number): void {
    const words = this.bufferWords;
    const word = (this.bufferTail & (BUFFERS - 1)) * BUFFER_WORDS;
    const address = this.buffers.address + number * BUFFER_BYTES;
    words[word] = address | 0;
    words[word + 1] = (address / HIGH) | 0;
    words[word + 2] = BUFFER_BYTES;
    this.bufferTail = (this.bufferTail + 1) & 0xffff;
    // Number and tail are the halves of the last word; the tail counts in the first buffer only, elsewhere it is reserved.
    if (word !== 0) words[word + 3] = number;
    words[3] = (word === 0 ? number : (words[3] as number) & 0xffff) | (this.bufferTail << 16);
  }

  /** Gives the kernel a spare buffer instead of one that is kept. False: there is none, so none can be kept. */
  exchangeBuffer(): boolean {
    const spare = this.spareBuffers.pop();
    if (spare === undefined) return false;
    this.returnBuffer(spare);
    return true;
  }

  /** A buffer that was kept is free. */
  spareBuffer(number: number): void {
    this.spareBuffers.push(number);
  }

  /**
   * Writes a submission. Word 0 is `first`: the operation, its flags in the second byte, its priority in the upper half.
   * Addresses are for operations that have them; the others pass 0. Returns its position, for `isPending` and `replace`.
   */
  submit(
    first: number,
    fd: number,
    address: number,
    length: number,
    opFlags: number,
    low: number,
    high: number,
  ): number {
    if (this.pending === SUBMISSIONS) this.flush();
    const words = this.submissions;
    const word = (this.tail & (SUBMISSIONS - 1)) * SQE_WORDS;
    words[word] = first;
    words[word + SQE_FD] = fd;
    words[word + SQE_ADDRESS2] = 0;
    words[word + SQE_ADDRESS2 + 1] = 0;
    words[word + SQE_ADDRESS] = address | 0;
    words[word + SQE_ADDRESS + 1] = (address / HIGH) | 0;
    words[word + SQE_LENGTH] = length;
    words[word + SQE_OP_FLAGS] = opFlags;
    words[word + SQE_USER_DATA] = low;
    words[word + SQE_USER_DATA + 1] = high;
    words[word + SQE_BUFFER_GROUP] = BUFFER_GROUP;
    words[word + 11] = 0;
    words[word + 12] = 0;
    words[word + 13] = 0;
    const position = this.tail;
    this.tail = (this.tail + 1) | 0;
    this.pending++;
    return position;
  }

  /** Makes sure that this number of submissions reach the kernel in one call. */
  reserve(count: number): void {
    if (this.pending + count > SUBMISSIONS) this.flush();
  }

  /** True while the kernel hasn't seen the submission. */
  isPending(position: number): boolean {
    return ((this.tail - position) | 0) <= this.pending;
  }

  /** Makes another operation of a pending submission, one without operands and of no interest to anybody. */
  replace(position: number, first: number, silent: number): void {
    const words = this.submissions;
    const word = (position & (SUBMISSIONS - 1)) * SQE_WORDS;
    words[word] = first;
    words[word + SQE_OP_FLAGS] = 0;
    words[word + SQE_USER_DATA] = silent;
  }

  /** A submission that accepts a connection; the kernel writes its address and the address's length. */
  submitAccept(fd: number, address: number, lengthAddress: number, flags: number, low: number, high: number): void {
    const position = this.submit(OP_ACCEPT, fd, address, 0, flags, low, high);
    const word = (position & (SUBMISSIONS - 1)) * SQE_WORDS;
    this.submissions[word + SQE_ADDRESS2] = lengthAddress | 0;
    this.submissions[word + SQE_ADDRESS2 + 1] = (lengthAddress / HIGH) | 0;
  }

  /** A submission that cancels the one with this user data; nothing is told of it. */
  submitCancel(first: number, low: number, high: number, silent: number): void {
    const word = (this.submit(first, -1, 0, 0, 0, silent, 0) & (SUBMISSIONS - 1)) * SQE_WORDS;
    this.submissions[word + SQE_ADDRESS] = low;
    this.submissions[word + SQE_ADDRESS + 1] = high;
  }

  /** True when something waits to be submitted. */
  get hasPending(): boolean {
    return this.pending > 0;
  }

  /** Submits what was written, and lets the kernel complete what it can. Waits at most `waitMs` for a completion. */
  enter(waitMs: number): void {
    this.rings[this.sqTail] = this.tail;
    let taken: number;
    if (waitMs <= 0) taken = ioUringEnter(this.fd, this.pending, 0, ENTER_GETEVENTS, 0, 0);
    else {
      this.writeTimeout(waitMs);
      const argument = this.page.address + GETEVENTS_OFFSET;
      taken = ioUringEnter(this.fd, this.pending, 1, ENTER_GETEVENTS | ENTER_EXT_ARG, argument, GETEVENTS_BYTES);
    }
    if (taken >= 0) {
      this.pending -= taken;
      return;
    }
    const error = errno();
    // Nothing was submitted: it will be next time. EBUSY: completions that overflowed must be taken first.
    if (error === ETIME || error === EINTR || error === EBUSY || error === ENOMEM) return;
    throw systemError("io_uring_enter", error);
  }

  private writeTimeout(waitMs: number): void {
    const words = this.words;
    const timespec = TIMESPEC_OFFSET >> 2;
    words[timespec] = 0;
    words[timespec + 1] = 0;
    words[timespec + 2] = Math.ceil(waitMs * 1e6);
    words[timespec + 3] = 0;
    const address = this.page.address + TIMESPEC_OFFSET;
    words[(GETEVENTS_OFFSET >> 2) + 4] = address | 0;
    words[(GETEVENTS_OFFSET >> 2) + 5] = (address / HIGH) | 0;
  }

  /** The submission queue is full. */
  private flush(): void {
    this.rings[this.sqTail] = this.tail;
    const taken = ioUringEnter(this.fd, this.pending, 0, 0, 0, 0);
    if (taken > 0) this.pending -= taken;
    else throw systemError("io_uring_enter", taken === 0 ? EBUSY : errno(), "with a full queue");
  }

  /** Puts the next completion into `completion`; false when there is none. */
  next(): boolean {
    const { rings } = this;
    const head = rings[this.cqHead] as number;
    if (head === rings[this.cqTail]) return false;
    const word = this.cqes + (head & this.cqMask) * CQE_WORDS;
    const { completion } = this;
    completion.low = rings[word] as number;
    completion.high = rings[word + 1] as number;
    completion.result = rings[word + 2] as number;
    completion.flags = rings[word + 3] as number;
    rings[this.cqHead] = (head + 1) | 0;
    return true;
  }

  /**
   * Looks through the completions that have this second word of user data, before their turn. Those that `take` has taken become
   * ones of `silent`.
   */
  extract(high: number, silent: number, take: (low: number, result: number) => boolean): void {
    const { rings } = this;
    for (let at = rings[this.cqHead] as number; at !== rings[this.cqTail]; at = (at + 1) | 0) {
      const word = this.cqes + (at & this.cqMask) * CQE_WORDS;
      const low = rings[word] as number;
      if (rings[word + 1] !== high || low === silent) continue;
      if (take(low, rings[word + 2] as number)) rings[word] = silent;
    }
  }

  /** True when a completion with this user data and this result waits for its turn. */
  hasResult(low: number, high: number, result: number): boolean {
    const { rings } = this;
    for (let at = rings[this.cqHead] as number; at !== rings[this.cqTail]; at = (at + 1) | 0) {
      const word = this.cqes + (at & this.cqMask) * CQE_WORDS;
      if (rings[word] === low && rings[word + 1] === high && rings[word + 2] === result) return true;
    }
    return false;
  }

  /** Gives everything back but the buffers' memory, which is never given back. */
  close(): void {
    for (const { address, sizeBytes } of this.mappings.splice(0)) munmap(address, sizeBytes);
    close(this.fd);
    if (this.eventFd >= 0) close(this.eventFd);
  }
}

function wordsOf({ bytes }: Memory): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}
