/** What encoders of one kind share in memory that C can see: only one of them runs at a time, and keeps nothing there. */
import type { Bytes } from "../base/bytes.ts";
import { allocateMemory } from "./memory.ts";

const INPUT_BYTES = 32 * 1024;
/** Of the output that one call may bring. */
export const OUTPUT_BYTES = 64 * 1024;
/** Parameters of a call: numbers and pointers of eight bytes each. */
const PARAMETERS = 8;

export class EncoderMemory {
  readonly output: Bytes;
  readonly #input: Bytes;
  readonly #inputAddress: bigint;
  readonly #outputAddress: bigint;
  readonly #parameters: BigUint64Array;
  /** The same as pairs of 32 bits: sizes need no big integers. */
  readonly #halves: Uint32Array;
  readonly #address: number;

  constructor() {
    const input = allocateMemory(INPUT_BYTES);
    const output = allocateMemory(OUTPUT_BYTES);
    const parameters = allocateMemory(PARAMETERS * 8);
    this.output = output.bytes;
    this.#input = input.bytes;
    this.#inputAddress = BigInt(input.address);
    this.#outputAddress = BigInt(output.address);
    this.#address = parameters.address;
    const { buffer, byteOffset } = parameters.bytes;
    this.#parameters = new BigUint64Array(buffer, byteOffset, PARAMETERS);
    this.#halves = new Uint32Array(buffer, byteOffset, PARAMETERS * 2);
  }

  /** Copies as much of the input as there is room for, and returns its size. */
  lay(bytes: Bytes, start: number, end: number): number {
    const size = Math.min(end - start, INPUT_BYTES);
    if (size > 0) this.#input.set(bytes.subarray(start, start + size), 0);
    return size;
  }

  /** Where a parameter lies. */
  addressOf(parameter: number): number {
    return this.#address + parameter * 8;
  }

  setNumber(parameter: number, value: number): void {
    this.#halves[parameter * 2] = value;
    this.#halves[parameter * 2 + 1] = 0;
  }

  number(parameter: number): number {
    return this.#halves[parameter * 2] as number;
  }

  pointToInput(parameter: number): void {
    this.#parameters[parameter] = this.#inputAddress;
  }

  pointToOutput(parameter: number): void {
    this.#parameters[parameter] = this.#outputAddress;
  }
}
