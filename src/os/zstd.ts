/** Zstandard by node's or the system's library. Contexts that are over are kept for the next answer of the same level. */
import type { Bytes } from "../base/bytes.ts";
import { type Encoder, FINISH, type Flush, NO_FLUSH } from "../io/compression.ts";
import { EncoderMemory, OUTPUT_BYTES } from "./encoder-memory.ts";
import {
  openZstd,
  ZSTD_CONTINUE,
  ZSTD_END,
  ZSTD_FLUSH,
  ZSTD_PARAMETER_LEVEL,
  ZSTD_RESET_SESSION,
  type Zstd,
} from "./ffi/zstd.ts";

/** A context of a usual level has about a megabyte: few are kept. */
const KEPT_CONTEXTS = 4;
// Parameters of a call, by their places: two buffers of pointer, size and position.
const SOURCE = 0;
const SOURCE_SIZE = 1;
const SOURCE_POSITION = 2;
const TARGET = 3;
const TARGET_SIZE = 4;
const TARGET_POSITION = 5;

/** All zstd encoders of a worker. */
export class ZstdEncoders {
  readonly #zstd: Zstd;
  readonly #kept = new Map<number, ZstdEncoder[]>();
  #memory: EncoderMemory | undefined = undefined;

  constructor(zstd: Zstd) {
    this.#zstd = zstd;
  }

  /** Undefined when there is no memory. */
  encoder(level: number): Encoder | undefined {
    let kept = this.#kept.get(level);
    if (kept === undefined) {
      kept = [];
      this.#kept.set(level, kept);
    }
    const waiting = kept.pop();
    if (waiting !== undefined) return waiting;
    const zstd = this.#zstd;
    const context = zstd.createContext();
    if (context === 0) return undefined;
    this.#memory ??= new EncoderMemory();
    if (zstd.setParameter(context, ZSTD_PARAMETER_LEVEL, level) >= 0)
      return new ZstdEncoder(zstd, context, this.#memory, kept);
    zstd.freeContext(context);
    return undefined;
  }
}

/** Undefined when there is no zstd here that can be called. */
export function openZstdEncoders(): ZstdEncoders | undefined {
  const zstd = openZstd();
  return zstd && new ZstdEncoders(zstd);
}

class ZstdEncoder implements Encoder {
  taken = 0;
  isFull = false;
  readonly output: Bytes;
  readonly #zstd: Zstd;
  readonly #context: number;
  readonly #memory: EncoderMemory;
  readonly #kept: ZstdEncoder[];

  constructor(zstd: Zstd, context: number, memory: EncoderMemory, kept: ZstdEncoder[]) {
    this.#zstd = zstd;
    this.#context = context;
    this.#memory = memory;
    this.#kept = kept;
    this.output = memory.output;
  }

  run(bytes: Bytes, start: number, end: number, flush: Flush): number {
    const memory = this.#memory;
    const size = memory.lay(bytes, start, end);
    const isAll = start + size === end;
    memory.pointToInput(SOURCE);
    memory.setNumber(SOURCE_SIZE, size);
    memory.setNumber(SOURCE_POSITION, 0);
    memory.pointToOutput(TARGET);
    memory.setNumber(TARGET_SIZE, OUTPUT_BYTES);
    memory.setNumber(TARGET_POSITION, 0);
    const directive = !isAll || flush === NO_FLUSH ? ZSTD_CONTINUE : flush === FINISH ? ZSTD_END : ZSTD_FLUSH;
    const left = this.#zstd.compress(this.#context, memory.addressOf(TARGET), memory.addressOf(SOURCE), directive);
    if (left < 0) return left;
    this.taken = memory.number(SOURCE_POSITION);
    this.isFull = start + this.taken < end || (directive !== ZSTD_CONTINUE && left > 0);
    return memory.number(TARGET_POSITION);
  }

  release(): void {
    if (this.#kept.length < KEPT_CONTEXTS && this.#zstd.reset(this.#context, ZSTD_RESET_SESSION) >= 0)
      this.#kept.push(this);
    else this.#zstd.freeContext(this.#context);
  }
}
