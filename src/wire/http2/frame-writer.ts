/** HTTP/2 frames as bytes, RFC 9113 §4 and §6. Each function writes at `at`, where there must be room, and returns the offset behind. */
import type { Bytes } from "../../base/bytes.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
  WITH_PRIORITY,
} from "./protocol.ts";

const WORD_BYTES = 4;
const PING_BYTES = 8;
const PRIORITY_BYTES = 5;
const SETTING_BYTES = 6;
const EXCLUSIVE = 0x8000_0000;

/** The nine bytes in front of a payload. */
export function writeFrameHeader(
  target: Bytes,
  at: number,
  lengthBytes: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  target[at] = lengthBytes >> 16;
  target[at + 1] = lengthBytes >> 8;
  target[at + 2] = lengthBytes;
  target[at + 3] = type;
  target[at + 4] = flags;
  return writeWord(target, at + 5, streamId);
}

/** A DATA frame; `paddingBytes` of undefined: no padding, not even its length. */
export function writeData(
  target: Bytes,
  at: number,
  streamId: number,
  data: Bytes,
  isLast: boolean,
  paddingBytes?: number,
): number {
  const flags = (isLast ? END_STREAM : 0) | (paddingBytes === undefined ? 0 : PADDED);
  const extra = paddingBytes === undefined ? 0 : 1 + paddingBytes;
  let end = writeFrameHeader(target, at, data.length + extra, DATA, flags, streamId);
  if (paddingBytes !== undefined) target[end++] = paddingBytes;
  target.set(data, end);
  return writePadding(target, end + data.length, paddingBytes);
}

/** What may stand in front of a field block. */
export interface BlockOptions {
  /** The deprecated priority. */
  readonly priority?: StreamPriority;
  readonly paddingBytes?: number;
}

export interface StreamPriority {
  readonly dependsOn: number;
  readonly isExclusive: boolean;
  /** 1 to 256. */
  readonly weight: number;
}

/** Bytes that `writeHeaders` and `writePushPromise` need at most for a block of this size. */
export function blockRoom(blockBytes: number, maxFrameBytes: number): number {
  const frames = 2 + Math.ceil(blockBytes / maxFrameBytes);
  return blockBytes + frames * FRAME_HEADER_BYTES + 1 + PRIORITY_BYTES + 255;
}

/** A field block as HEADERS, with as many CONTINUATIONs as the peer's MAX_FRAME_SIZE asks for. `isLast`: no DATA follow. */
export function writeHeaders(
  target: Bytes,
  at: number,
  streamId: number,
  block: Bytes,
  isLast: boolean,
  maxFrameBytes: number,
  { priority, paddingBytes }: BlockOptions = {},
): number {
  const flags = (isLast ? END_STREAM : 0) | (priority === undefined ? 0 : WITH_PRIORITY);
  const front = new Uint8Array(priority === undefined ? 0 : PRIORITY_BYTES);
  if (priority !== undefined) putPriority(front, 0, priority);
  return writeBlock(target, at, { type: HEADERS, flags, streamId, front, block, paddingBytes }, maxFrameBytes);
}

/** A promise of `promisedId` on a client's stream. */
export function writePushPromise(
  target: Bytes,
  at: number,
  streamId: number,
  promisedId: number,
  block: Bytes,
  maxFrameBytes: number,
  paddingBytes?: number,
): number {
  const front = new Uint8Array(WORD_BYTES);
  writeWord(front, 0, promisedId);
  return writeBlock(target, at, { type: PUSH_PROMISE, flags: 0, streamId, front, block, paddingBytes }, maxFrameBytes);
}

interface Block {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** What stands between padding length and fragment. */
  readonly front: Bytes;
  readonly block: Bytes;
  readonly paddingBytes: number | undefined;
}

function writeBlock(target: Bytes, at: number, parts: Block, maxFrameBytes: number): number {
  const { type, flags, streamId, front, block, paddingBytes } = parts;
  const extra = front.length + (paddingBytes === undefined ? 0 : 1 + paddingBytes);
  let sent = Math.min(block.length, maxFrameBytes - extra);
  const endFlag = (isEnd: boolean): number => (isEnd ? END_HEADERS : 0);
  const firstFlags = flags | (paddingBytes === undefined ? 0 : PADDED) | endFlag(sent === block.length);
  let end = writeFrameHeader(target, at, sent + extra, type, firstFlags, streamId);
  if (paddingBytes !== undefined) target[end++] = paddingBytes;
  target.set(front, end);
  end += front.length;
  target.set(block.subarray(0, sent), end);
  end = writePadding(target, end + sent, paddingBytes);
  while (sent < block.length) {
    const size = Math.min(block.length - sent, maxFrameBytes);
    end = writeFrameHeader(target, end, size, CONTINUATION, endFlag(sent + size === block.length), streamId);
    target.set(block.subarray(sent, sent + size), end);
    sent += size;
    end += size;
  }
  return end;
}

/** The deprecated priority of a stream. */
export function writePriority(target: Bytes, at: number, streamId: number, priority: StreamPriority): number {
  return putPriority(target, writeFrameHeader(target, at, PRIORITY_BYTES, PRIORITY, 0, streamId), priority);
}

function putPriority(target: Bytes, at: number, { dependsOn, isExclusive, weight }: StreamPriority): number {
  const end = writeWord(target, at, isExclusive ? dependsOn + EXCLUSIVE : dependsOn);
  target[end] = weight - 1;
  return end + 1;
}

/** The end of one stream, with the reason. */
export function writeRstStream(target: Bytes, at: number, streamId: number, error: number): number {
  return writeWord(target, writeFrameHeader(target, at, WORD_BYTES, RST_STREAM, 0, streamId), error);
}

/** Settings, each an identifier and its value. */
export function writeSettings(
  target: Bytes,
  at: number,
  settings: readonly (readonly [id: number, value: number])[],
): number {
  let end = writeFrameHeader(target, at, settings.length * SETTING_BYTES, SETTINGS, 0, 0);
  for (const [id, value] of settings) {
    target[end] = id >> 8;
    target[end + 1] = id;
    end = writeWord(target, end + 2, value);
  }
  return end;
}

/** The peer's settings are in force. */
export function writeSettingsAck(target: Bytes, at: number): number {
  return writeFrameHeader(target, at, 0, SETTINGS, ACK, 0);
}

/** A PING with the eight bytes `data[start, start + 8)`, or the answer to one that had brought them. */
export function writePing(target: Bytes, at: number, data: Bytes, start: number, isAck: boolean): number {
  const end = writeFrameHeader(target, at, PING_BYTES, PING, isAck ? ACK : 0, 0);
  for (let i = 0; i < PING_BYTES; i++) target[end + i] = data[start + i] as number;
  return end + PING_BYTES;
}

/** The end of a connection: streams after `lastStreamId` were not looked at. */
export function writeGoaway(target: Bytes, at: number, lastStreamId: number, error: number, debug?: Bytes): number {
  const size = debug?.length ?? 0;
  let end = writeFrameHeader(target, at, 2 * WORD_BYTES + size, GOAWAY, 0, 0);
  end = writeWord(target, end, lastStreamId);
  end = writeWord(target, end, error);
  if (debug !== undefined) target.set(debug, end);
  return end + size;
}

/** Room for so many more bytes of DATA; stream 0 is the connection. */
export function writeWindowUpdate(target: Bytes, at: number, streamId: number, increment: number): number {
  return writeWord(target, writeFrameHeader(target, at, WORD_BYTES, WINDOW_UPDATE, 0, streamId), increment);
}

function writePadding(target: Bytes, at: number, paddingBytes = 0): number {
  target.fill(0, at, at + paddingBytes);
  return at + paddingBytes;
}

function writeWord(target: Bytes, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + WORD_BYTES;
}
