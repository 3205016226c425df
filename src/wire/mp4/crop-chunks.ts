/**
 * Cuts the tables of a track that say where its samples lie: samples of chunks, sizes of samples, offsets of chunks. A function
 * returns what is wrong, or undefined. Counterpart in nginx: ngx_http_mp4_update_stsc_atom and its kin.
 */
import type { Bytes } from "../../base/bytes.ts";
import { readU32, writeU32 } from "../checksum.ts";
import { readU64, writeU64 } from "./atoms.ts";
import type { Mp4Cut } from "./source.ts";
import { CO64, entriesOf, STCO, STSC, STSZ, type Table, type Track } from "./track.ts";

const MAX_U32 = 0xffffffff;

// ---- samples of chunks

/** Where in the table of chunks a sample is. */
interface ChunkPlace {
  readonly entry: number;
  /** First chunk of the entry, from 1 on; samples in each of its chunks; the description. */
  readonly chunk: number;
  readonly samples: number;
  readonly description: number;
  /** First chunk of the next entry. */
  readonly nextChunk: number;
  /** Samples of each chunk in front of the entry. */
  readonly samplesBefore: number;
  /** The sample, from the beginning of the entry. */
  readonly sample: number;
}

function findChunk(bytes: Bytes, track: Track, table: Table, sample: number): ChunkPlace | "unordered" | "out" {
  let left = sample;
  let entry = table.first;
  let chunk = readU32(bytes, entry);
  let samplesBefore = 0;
  for (;;) {
    const samples = readU32(bytes, entry + 4);
    const next = entry + table.entryBytes;
    const isLast = next >= table.end;
    const nextChunk = isLast ? (track.chunks + 1) >>> 0 : readU32(bytes, next);
    if (nextChunk < chunk) return "unordered";
    const inEntry = (nextChunk - chunk) * samples;
    if (left < inEntry || (isLast && left === inEntry)) {
      const description = readU32(bytes, entry + 8);
      return { entry, chunk, samples, description, nextChunk, samplesBefore, sample: left };
    }
    if (isLast) return "out";
    left -= inEntry;
    if (nextChunk > chunk) samplesBefore = samples;
    chunk = nextChunk;
    entry = next;
  }
}

/** Keeps the chunks that have samples of the part, by their new numbers. */
export function cropChunks(bytes: Bytes, track: Track, cut: Mp4Cut, name: string): string | undefined {
  const table = track.tables[STSC];
  if (table === undefined) return `no mp4 stsc atoms were found in "${name}"`;
  if (entriesOf(table) === 0) return `zero number of entries in stsc atom in "${name}"`;
  const start = findPlace(bytes, track, table, track.startSample >>> 0);
  if (typeof start === "string") return explain(start, "start", name);
  beginChunks(bytes, track, table, start);
  if (cut.lengthMs > 0n) {
    let samples = (track.endSample - track.startSample) >>> 0;
    const { startLine } = track;
    if (startLine !== undefined) {
      startLine.samples = Math.min(startLine.samples, samples);
      samples -= startLine.samples;
    }
    const end = findPlace(bytes, track, table, samples);
    if (typeof end === "string") return explain(end, "end", name);
    endChunks(bytes, track, table, end);
  }
  for (let entry = table.first; entry < table.end; entry += table.entryBytes)
    writeU32(bytes, entry, readU32(bytes, entry) - track.startChunk);
  return undefined;
}

type BadChunk = "unordered" | "out" | "no samples" | "zero";

function findPlace(bytes: Bytes, track: Track, table: Table, sample: number): ChunkPlace | BadChunk {
  const place = findChunk(bytes, track, table, sample);
  if (typeof place === "string") return place;
  if (place.samples === 0) return "no samples";
  return place.chunk === 0 ? "zero" : place;
}

function explain(fault: BadChunk, which: "start" | "end", name: string): string {
  switch (fault) {
    case "unordered":
      return `unordered mp4 stsc chunks in "${name}"`;
    case "out":
      return `${which} time is out mp4 stsc chunks in "${name}"`;
    case "no samples":
      return `zero number of samples in "${name}"`;
    case "zero":
      return `zero chunk in "${name}"`;
  }
}

function beginChunks(bytes: Bytes, track: Track, table: Table, place: ChunkPlace): void {
  const { entry, chunk, samples, nextChunk, description } = place;
  track.startChunk = chunk - 1 + Math.floor(place.sample / samples);
  track.startChunkSamples = place.sample % samples;
  table.first = entry;
  writeU32(bytes, entry, track.startChunk + 1);
  if (track.startChunkSamples === 0) return;
  const rest = samples - track.startChunkSamples;
  if (nextChunk - track.startChunk === 2) writeU32(bytes, entry + 4, rest);
  else {
    track.startLine = { chunk: 1, samples: rest, description };
    writeU32(bytes, entry, track.startChunk + 2);
  }
}

function endChunks(bytes: Bytes, track: Track, table: Table, place: ChunkPlace): void {
  const { entry, chunk, samples, description, samplesBefore } = place;
  const lastChunk = chunk - 1 + Math.floor(place.sample / samples);
  const inChunk = place.sample % samples;
  table.end = place.sample > 0 ? entry + table.entryBytes : entry;
  track.endChunkSamples = inChunk > 0 ? inChunk : place.sample > 0 ? samples : samplesBefore;
  track.endChunk = inChunk > 0 ? lastChunk + 1 : lastChunk;
  if (inChunk === 0) return;
  if (chunk + 1 - lastChunk === 2) writeU32(bytes, entry + 4, inChunk);
  else track.endLine = { chunk: track.endChunk - track.startChunk, samples: inChunk, description };
}

// ---- sizes of samples

/** Keeps the sizes of the part's samples, and adds up what of the first and the last chunk is not or only just in it. */
export function cropSizes(
  bytes: Bytes,
  track: Track,
  cut: Mp4Cut,
  fileBytes: number,
  name: string,
): string | undefined {
  const table = track.tables[STSZ];
  if (table === undefined || track.isUniform) return undefined;
  const { first, entryBytes } = table;
  const entries = entriesOf(table);
  if (track.startSample >= entries) return `start time is out mp4 stsz samples in "${name}"`;
  table.first = first + track.startSample * entryBytes;
  track.startChunkBytes = sumSizes(bytes, first, table.first, track.startChunkSamples);
  if (track.startChunkBytes > fileBytes) return `too large mp4 start samples size in "${name}"`;
  if (cut.lengthMs === 0n) return undefined;
  const samples = track.endSample - track.startSample;
  if (samples > entries - track.startSample) return `end time is out mp4 stsz samples in "${name}"`;
  table.end = table.first + samples * entryBytes;
  track.endChunkBytes = sumSizes(bytes, first, table.end, track.endChunkSamples);
  return track.endChunkBytes > fileBytes ? `too large mp4 end samples size in "${name}"` : undefined;
}

/** What so many samples in front of an offset have; too much when there are not so many. */
function sumSizes(bytes: Bytes, first: number, end: number, samples: number): number {
  const start = end - samples * 4;
  if (start < first) return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (let at = start; at < end; at += 4) sum += readU32(bytes, at);
  return sum;
}

// ---- offsets of chunks

/** Keeps the offsets of the part's chunks, and finds where in the file its samples begin and end. `dataEnd`: where `mdat` ends. */
export function cropChunkOffsets(
  bytes: Bytes,
  track: Track,
  cut: Mp4Cut,
  { fileBytes, dataEnd, name }: { readonly fileBytes: number; readonly dataEnd: number; readonly name: string },
): string | undefined {
  const large = track.tables[CO64];
  const table = large ?? track.tables[STCO];
  const kind = large === undefined ? "stco" : "co64";
  if (table === undefined) return `no mp4 stco atoms were found in "${name}"`;
  if (track.startChunk >= track.chunks) return `start time is out mp4 ${kind} chunks in "${name}"`;
  const offsetOf = (at: number, extra: number): number | undefined => {
    const offset = large === undefined ? readU32(bytes, at) : Number(readU64(bytes, at));
    const fits = offset <= fileBytes - extra && (large !== undefined || offset + extra <= MAX_U32);
    return fits ? offset + extra : undefined;
  };
  table.first += track.startChunk * table.entryBytes;
  const start = offsetOf(table.first, track.startChunkBytes);
  if (start === undefined) return `too large chunk offset in "${name}"`;
  track.startOffset = start;
  if (large === undefined) writeU32(bytes, table.first, start);
  else writeU64(bytes, table.first, BigInt(start));
  if (cut.lengthMs === 0n) {
    track.endOffset = dataEnd;
    return undefined;
  }
  const chunks = track.endChunk - track.startChunk;
  if (track.endChunk > track.chunks || chunks < 0) return `end time is out mp4 ${kind} chunks in "${name}"`;
  table.end = table.first + chunks * table.entryBytes;
  if (chunks === 0) {
    track.startOffset = fileBytes;
    track.endOffset = 0;
    return undefined;
  }
  const end = offsetOf(table.end - table.entryBytes, track.endChunkBytes);
  if (end === undefined) return `too large chunk offset in "${name}"`;
  track.endOffset = end;
  return undefined;
}

/** Moves the offsets of all chunks that are left. */
export function moveChunks(bytes: Bytes, track: Track, by: number): void {
  const large = track.tables[CO64];
  const table = large ?? (track.tables[STCO] as Table);
  for (let at = table.first; at < table.end; at += table.entryBytes) {
    if (large === undefined) writeU32(bytes, at, readU32(bytes, at) + by);
    else moveLarge(bytes, at, by);
  }
}

function moveLarge(bytes: Bytes, at: number, by: number): void {
  const moved = readU32(bytes, at) * 2 ** 32 + readU32(bytes, at + 4) + by;
  if (moved >= 0 && moved <= Number.MAX_SAFE_INTEGER) {
    writeU32(bytes, at, Math.floor(moved / 2 ** 32));
    writeU32(bytes, at + 4, moved);
  } else writeU64(bytes, at, readU64(bytes, at) + BigInt(by));
}
