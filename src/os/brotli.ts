/** Brotli by the encoder of the node binary. It has no way to begin anew: every answer gets one of its own. */
import type { Bytes } from "../base/bytes.ts";
import { type BrotliSettings, type Encoder, FINISH, type Flush, NO_FLUSH } from "../io/compression.ts";
import { EncoderMemory, OUTPUT_BYTES } from "./encoder-memory.ts";
import {
  BROTLI_FINISH,
  BROTLI_FLUSH,
  BROTLI_PARAM_LGWIN,
  BROTLI_PARAM_QUALITY,
  BROTLI_PROCESS,
  type Brotli,
  openBrotli,
} from "./ffi/brotli.ts";

// Parameters of a call, by their places.
const AVAILABLE_IN = 0;
const NEXT_IN = 1;
const AVAILABLE_OUT = 2;
const NEXT_OUT = 3;
const FAILURE = -1;

/** All brotli encoders of a worker. */
export class BrotliEncoders {
  readonly #brotli: Brotli;
  #memory: EncoderMemory | undefined = undefined;

  constructor(brotli: Brotli) {
    this.#brotli = brotli;
  }

  /** Undefined when there is no memory. */
  encoder({ quality, windowBits }: BrotliSettings): Encoder | undefined {
    const brotli = this.#brotli;
    const state = brotli.create(0, 0, 0);
    if (state === 0) return undefined;
    this.#memory ??= new EncoderMemory();
    if (
      brotli.setParameter(state, BROTLI_PARAM_QUALITY, quality) !== 0 &&
      brotli.setParameter(state, BROTLI_PARAM_LGWIN, windowBits) !== 0
    )
      return new BrotliEncoder(brotli, state, this.#memory);
    brotli.destroy(state);
    return undefined;
  }
}

/** Undefined when this node has no brotli encoder that can be called. */
export function openBrotliEncoders(): BrotliEncoders | undefined {
  const brotli = openBrotli();
  return brotli && new BrotliEncoders(brotli);
}

class BrotliEncoder implements Encoder {
  taken = 0;
  isFull = false;
  readonly output: Bytes;
  readonly #brotli: Brotli;
  readonly #memory: EncoderMemory;
  #state: number;

  constructor(brotli: Brotli, state: number, memory: EncoderMemory) {
    this.#brotli = brotli;
    this.#state = state;
    this.#memory = memory;
    this.output = memory.output;
  }

  run(bytes: Bytes, start: number, end: number, flush: Flush): number {
    const memory = this.#memory;
    const size = memory.lay(bytes, start, end);
    const isAll = start + size === end;
    memory.setNumber(AVAILABLE_IN, size);
    memory.pointToInput(NEXT_IN);
    memory.setNumber(AVAILABLE_OUT, OUTPUT_BYTES);
    memory.pointToOutput(NEXT_OUT);
    const operation = !isAll || flush === NO_FLUSH ? BROTLI_PROCESS : flush === FINISH ? BROTLI_FINISH : BROTLI_FLUSH;
    const isDone = this.#brotli.compress(
      this.#state,
      operation,
      memory.addressOf(AVAILABLE_IN),
      memory.addressOf(NEXT_IN),
      memory.addressOf(AVAILABLE_OUT),
      memory.addressOf(NEXT_OUT),
      0,
    );
    if (isDone === 0) return FAILURE;
    this.taken = size - memory.number(AVAILABLE_IN);
    this.isFull = start + this.taken < end || this.#brotli.hasMoreOutput(this.#state) !== 0;
    return OUTPUT_BYTES - memory.number(AVAILABLE_OUT);
  }

  release(): void {
    if (this.#state !== 0) this.#brotli.destroy(this.#state);
    this.#state = 0;
  }
}
