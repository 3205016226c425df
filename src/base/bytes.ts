/**
 * Bytes and their text. The pure layers see bytes as `Uint8Array`; this file alone knows that Node's `Buffer` has
 * native slice functions, and lends them out (a latin1 slice costs a tenth of a loop over character codes).
 */

export type Bytes = Uint8Array;

interface NativeBuffer {
  from(text: string, encoding: "latin1" | "utf8"): Bytes;
  readonly prototype: {
    latin1Slice(this: Bytes, start: number, end: number): string;
    utf8Slice(this: Bytes, start: number, end: number): string;
    latin1Write(this: Bytes, text: string, offset: number, length: number): number;
    utf8Write(this: Bytes, text: string, offset: number, length: number): number;
  };
}
declare const Buffer: NativeBuffer;
const { latin1Slice, utf8Slice, latin1Write, utf8Write } = Buffer.prototype;

/** Text of `bytes[start, end)`, one character a byte (ISO 8859-1): what HTTP/1 fields and configuration bytes are. */
export function latin1(bytes: Bytes, start = 0, end = bytes.length): string {
  return latin1Slice.call(bytes, start, end);
}

/** Text of `bytes[start, end)` read as UTF-8; malformed sequences become U+FFFD. */
export function utf8(bytes: Bytes, start = 0, end = bytes.length): string {
  return utf8Slice.call(bytes, start, end);
}

/** Bytes of a text, one byte a character; characters above U+00FF lose their high bits. */
export function fromLatin1(text: string): Bytes {
  return Buffer.from(text, "latin1");
}

/** Bytes of a text as UTF-8. */
export function fromUtf8(text: string): Bytes {
  return Buffer.from(text, "utf8");
}

/** Below this length a loop over character codes beats the native call's fixed cost. */
const SHORT_TEXT = 24;

/** Writes text as ISO 8859-1 at `offset`, which must fit, and returns the offset behind it. */
export function writeLatin1(target: Bytes, text: string, offset: number): number {
  const length = text.length;
  if (length > SHORT_TEXT) return offset + latin1Write.call(target, text, offset, length);
  for (let i = 0; i < length; i++) target[offset + i] = text.charCodeAt(i);
  return offset + length;
}

/** Writes text as UTF-8 at `offset` and returns the offset behind it; stops where the target ends. */
export function writeUtf8(target: Bytes, text: string, offset: number): number {
  return offset + utf8Write.call(target, text, offset, target.length - offset);
}

const WORD_BYTES = 4;

/**
 * Copies `[start, start + sizeBytes)` of one view to `offset` of another, where it must fit, a word at a time: below a hundred bytes or so that
 * takes no longer than the native call, and makes no garbage.
 */
export function copyView(target: DataView, offset: number, source: DataView, start: number, sizeBytes: number): void {
  let at = 0;
  for (const last = sizeBytes - WORD_BYTES; at <= last; at += WORD_BYTES) {
    target.setInt32(offset + at, source.getInt32(start + at, true), true);
  }
  for (; at < sizeBytes; at++) target.setUint8(offset + at, source.getUint8(start + at));
}

/** Writes bytes at `offset`, which must fit, and returns the offset behind them. */
export function writeBytes(target: Bytes, source: Bytes, offset: number): number {
  target.set(source, offset);
  return offset + source.length;
}

/** True when both hold the same bytes. */
export function equalBytes(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The parts, one behind the other, in new memory. */
export function concatBytes(parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) offset = writeBytes(whole, part, offset);
  return whole;
}
