/** The uwsgi protocol: four bytes of header (modifier 1, size, modifier 2), then names and values with their lengths, all little-endian. */
import { type Bytes, writeLatin1 } from "../base/bytes.ts";
import type { PairForm } from "./pairs.ts";

export const UWSGI_HEADER_BYTES = 4;
/** What the header's size can say. */
export const MAX_UWSGI_BYTES = 0xffff;

function writeSize(bytes: Bytes, at: number, size: number): number {
  bytes[at] = size & 0xff;
  bytes[at + 1] = size >> 8;
  return at + 2;
}

export const uwsgiPair: PairForm = {
  sizeOf: (nameLength, valueLength) => 2 + nameLength + 2 + valueLength,
  write(bytes, at, name, value) {
    const nameEnd = writeLatin1(bytes, name, writeSize(bytes, at, name.length));
    return writeLatin1(bytes, value, writeSize(bytes, nameEnd, value.length));
  },
};

/** Writes the header of a request whose pairs and text have `sizeBytes`; the offset behind it. */
export function writeUwsgiHeader(
  bytes: Bytes,
  at: number,
  modifier1: number,
  modifier2: number,
  sizeBytes: number,
): number {
  bytes[at] = modifier1;
  const next = writeSize(bytes, at + 1, sizeBytes);
  bytes[next] = modifier2;
  return next + 1;
}
