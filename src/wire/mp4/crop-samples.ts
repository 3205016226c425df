/**
 * Cuts the tables of a track that count samples: their times, key frames and composition offsets. All of it happens in the movie's
 * bytes. A function returns what is wrong, or undefined. Counterpart in nginx: ngx_http_mp4_update_stts_atom and its kin.
 */
import type { Bytes } from "../../base/bytes.ts";
import { readU32, writeU32 } from "../checksum.ts";
import { unitsOf } from "./movie-reader.ts";
import type { Mp4Cut } from "./source.ts";
import { CTTS, entriesOf, STSS, STTS, type Table, type Track } from "./track.ts";

/** Times from here on are beyond any sample, and beyond what a number holds exactly. */
const MAX_UNITS = 2n ** 53n;

/** The first and the last sample: by their times. */
export function cropTimes(bytes: Bytes, track: Track, cut: Mp4Cut, name: string): string | undefined {
  const table = track.tables[STTS];
  if (table === undefined) return `no mp4 stts atoms were found in "${name}"`;
  const place = findTime(bytes, table, unitsOf(cut.startMs, track.timescale));
  if (place === undefined) return `start time is out mp4 stts samples in "${name}"`;
  const prefix = cut.startKeyFrame ? samplesFromKeyFrame(bytes, track.tables[STSS], place.sample) : 0;
  if (prefix === undefined) return `zero sync sample in "${name}"`;
  track.startSample = place.sample - prefix;
  stepBack(bytes, table, track, place, prefix);
  if (cut.lengthMs > 0n) cropEnd(bytes, table, track, cut);
  return undefined;
}

/** A sample: of all, and where it stands in its entry. */
interface Place {
  readonly entry: number;
  readonly sample: number;
  readonly inEntry: number;
}

/** The sample at a time that counts from the first entry that is left; undefined behind the last one. */
function findTime(bytes: Bytes, table: Table, units: bigint): Place | undefined {
  if (units >= MAX_UNITS) return undefined;
  let left = Number(units);
  let sample = 0;
  for (let entry = table.first; entry < table.end; entry += table.entryBytes) {
    const count = readU32(bytes, entry);
    const duration = readU32(bytes, entry + 4);
    if (left < count * duration) {
      const inEntry = Math.floor(left / duration);
      return { entry, sample: sample + inEntry, inEntry };
    }
    sample += count;
    left -= count * duration;
  }
  return undefined;
}

/** How many samples lie between the last key frame and the sample; undefined when the table is none. */
function samplesFromKeyFrame(bytes: Bytes, table: Table | undefined, sample: number): number | undefined {
  if (table === undefined) return 0;
  // Key frames count from 1.
  const wanted = (sample + 1) >>> 0;
  let prefix = 0;
  for (let entry = table.first; entry < table.end; entry += table.entryBytes) {
    const keyFrame = readU32(bytes, entry);
    if (keyFrame === 0) return undefined;
    if (keyFrame > wanted) break;
    prefix = wanted - keyFrame;
  }
  return prefix;
}

/** Begins the table so many samples ahead of a place, and reckons how long those last. */
function stepBack(bytes: Bytes, table: Table, track: Track, place: Place, samples: number): void {
  let { entry, inEntry } = place;
  let left = samples;
  while (inEntry < left && entry > table.first) {
    track.prefix += Math.imul(inEntry, readU32(bytes, entry + 4)) >>> 0;
    left -= inEntry;
    entry -= table.entryBytes;
    inEntry = readU32(bytes, entry);
  }
  track.prefix += Math.imul(left, readU32(bytes, entry + 4)) >>> 0;
  track.duration += BigInt(track.prefix);
  writeU32(bytes, entry, readU32(bytes, entry) - inEntry + left);
  table.first = entry;
}

function cropEnd(bytes: Bytes, table: Table, track: Track, cut: Mp4Cut): void {
  const place = findTime(bytes, table, unitsOf(cut.lengthMs, track.timescale) + BigInt(track.prefix));
  if (place === undefined) {
    let samples = 0;
    for (let entry = table.first; entry < table.end; entry += table.entryBytes) samples += readU32(bytes, entry);
    track.endSample = track.startSample + samples;
    return;
  }
  track.endSample = track.startSample + place.sample;
  writeU32(bytes, place.entry, place.inEntry);
  table.end = place.entry + table.entryBytes;
}

/** Keeps the key frames that are left, by their new numbers. */
export function cropKeyFrames(bytes: Bytes, track: Track, cut: Mp4Cut): void {
  const table = track.tables[STSS];
  if (table === undefined) return;
  const { entryBytes } = table;
  const seek = (from: number, sample: number): number => {
    let entry = from;
    while (entry < table.end && readU32(bytes, entry) < sample) entry += entryBytes;
    return entry;
  };
  table.first = seek(table.first, (track.startSample + 1) >>> 0);
  if (cut.lengthMs > 0n) table.end = seek(table.first, (track.endSample + 1) >>> 0);
  for (let entry = table.first; entry < table.end; entry += entryBytes)
    writeU32(bytes, entry, readU32(bytes, entry) - track.startSample);
}

/** Keeps the offsets of the samples that are left; a table without any is left out. */
export function cropOffsets(bytes: Bytes, track: Track, cut: Mp4Cut): void {
  const table = track.tables[CTTS];
  if (table === undefined) return;
  const start = findSample(bytes, table, (track.startSample + 1) >>> 0);
  if (start === undefined) table.first = table.end;
  else {
    writeU32(bytes, start.entry, readU32(bytes, start.entry) - start.inEntry);
    table.first = start.entry;
  }
  if (cut.lengthMs > 0n) {
    const end = findSample(bytes, table, (track.endSample - track.startSample + 1) >>> 0);
    if (end !== undefined) {
      writeU32(bytes, end.entry, end.inEntry);
      table.end = end.entry + table.entryBytes;
    }
  }
  if (entriesOf(table) === 0) track.tables[CTTS] = undefined;
}

/** The entry of a sample, which counts from 1. */
function findSample(bytes: Bytes, table: Table, sample: number): Omit<Place, "sample"> | undefined {
  let left = sample;
  for (let entry = table.first; entry < table.end; entry += table.entryBytes) {
    const count = readU32(bytes, entry);
    if (left <= count) return { entry, inEntry: left - 1 };
    left -= count;
  }
  return undefined;
}
