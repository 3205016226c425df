/** A part of an mp4 file as a file of its own. Counterpart in nginx: ngx_http_mp4_process. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { writeU32 } from "../checksum.ts";
import { FAULT, SKIP } from "./atom-reader.ts";
import { atomName, HEAD_BYTES, LARGE_HEAD_BYTES, writeHead, writeU64 } from "./atoms.ts";
import { cropChunkOffsets, cropChunks, cropSizes, moveChunks } from "./crop-chunks.ts";
import { cropKeyFrames, cropOffsets, cropTimes } from "./crop-samples.ts";
import { FileReader } from "./file-reader.ts";
import type { MovieReader } from "./movie-reader.ts";
import type { Mp4Answer, Mp4Cut, Mp4Source } from "./source.ts";
import {
  type ChunkLine,
  CO64,
  CTTS,
  entriesOf,
  type Range,
  STCO,
  STSC,
  STSS,
  STSZ,
  STTS,
  type Table,
  type Track,
} from "./track.ts";

const MAX_U32 = 0xffffffff;
const MAX_I64 = 2n ** 63n - 1n;
const EDTS_BYTES = 44;
const CHUNK_LINE_BYTES = 12;

const [MOOV, MDAT, TRAK, EDTS, ELST, MDIA, MINF, STBL] = [
  "moov",
  "mdat",
  "trak",
  "edts",
  "elst",
  "mdia",
  "minf",
  "stbl",
].map(atomName) as [number, number, number, number, number, number, number, number];

/** Seconds with any number of digits behind the dot, in milliseconds; undefined when it is no number. nginx: ngx_http_mp4_atofp. */
export function parseSeconds(text: string): bigint | undefined {
  const match = /^(\d*)\.?(\d*)$/.exec(text);
  if (match === null || text === "") return undefined;
  const [, whole = "", fraction = ""] = match;
  const ms = BigInt(`0${whole}${fraction.slice(0, 3).padEnd(3, "0")}`);
  return ms > MAX_I64 ? undefined : ms;
}

/** Makes the head of a file that has the part only, and says where in the file the rest of it lies. */
export function cutMp4(source: Mp4Source, cut: Mp4Cut): Mp4Answer {
  const { name } = source;
  const file = new FileReader(source, cut);
  const rc = file.run();
  if (rc === SKIP) return { kind: "whole" };
  if (rc === FAULT) return { kind: "failed", reason: file.atoms.reason, level: file.atoms.level };
  const { movie, dataEnd } = file;
  if (movie === undefined || movie.tracks.length === 0) return failed(`no mp4 trak atoms were found in "${name}"`);
  if (dataEnd < 0) return failed(`no mp4 mdat atom was found in "${name}"`);
  for (const track of movie.tracks) {
    const reason = cropTrack(movie.bytes, track, cut, { fileBytes: source.sizeBytes, dataEnd, name });
    if (reason !== undefined) return failed(reason);
  }
  const start = movie.tracks.reduce((least, { startOffset }) => Math.min(least, startOffset), source.sizeBytes);
  const end = movie.tracks.reduce((most, { endOffset }) => Math.max(most, endOffset), 0);
  if (end <= start) return failed(`no data between start time and end time in "${name}"`);
  if (start >= dataEnd) return failed(`start time is out mp4 mdat atom in "${name}"`);
  return { kind: "part", head: makeHead(file.ftyp, movie, start, end), start, end };
}

function failed(reason: string): Mp4Answer {
  return { kind: "failed", reason, level: "error" };
}

function cropTrack(
  bytes: Bytes,
  track: Track,
  cut: Mp4Cut,
  file: { readonly fileBytes: number; readonly dataEnd: number; readonly name: string },
): string | undefined {
  const { name, fileBytes } = file;
  const timeFault = cropTimes(bytes, track, cut, name);
  if (timeFault !== undefined) return timeFault;
  cropKeyFrames(bytes, track, cut);
  cropOffsets(bytes, track, cut);
  return (
    cropChunks(bytes, track, cut, name) ??
    cropSizes(bytes, track, cut, fileBytes, name) ??
    cropChunkOffsets(bytes, track, cut, file)
  );
}

/** Everything ahead of the data. */
function makeHead(ftyp: Bytes | undefined, movie: MovieReader, start: number, end: number): Bytes {
  const { bytes, mvhd, tracks } = movie;
  const dataHead = makeDataHead(end - start);
  const heads = tracks.map((track) => trackSizes(track));
  const movieBytes = heads.reduce((sum, { trak }) => sum + trak, HEAD_BYTES + sizeOf(mvhd));
  const shift = (ftyp?.length ?? 0) + movieBytes + dataHead.length - start;
  const head = new Uint8Array(movieBytes);
  let at = writeHead(head, 0, movieBytes, MOOV);
  at = copyRange(head, at, bytes, mvhd);
  tracks.forEach((track, index) => {
    moveChunks(bytes, track, shift);
    at = writeTrack(head, at, bytes, track, heads[index] as TrackSizes);
  });
  return concatBytes(ftyp === undefined ? [head, dataHead] : [ftyp, head, dataHead]);
}

function makeDataHead(dataBytes: number): Bytes {
  const isLarge = dataBytes > MAX_U32 - HEAD_BYTES;
  const head = new Uint8Array(isLarge ? LARGE_HEAD_BYTES : HEAD_BYTES);
  writeHead(head, 0, isLarge ? 1 : HEAD_BYTES + dataBytes, MDAT);
  if (isLarge) writeU64(head, HEAD_BYTES, BigInt(LARGE_HEAD_BYTES + dataBytes));
  return head;
}

/** What the atoms that hold others come to. */
interface TrackSizes {
  readonly trak: number;
  readonly mdia: number;
  readonly minf: number;
  readonly stbl: number;
}

function sizeOf(range: Range | undefined): number {
  return range === undefined ? 0 : range.end - range.start;
}

function tableSize(table: Table | undefined): number {
  return table === undefined ? 0 : table.headBytes + table.end - table.first;
}

/** Lines of the table of chunks beside those of the file. */
function extraLines({ startLine, endLine }: Track): number {
  return (startLine === undefined ? 0 : 1) + (endLine === undefined ? 0 : 1);
}

function trackSizes(track: Track): TrackSizes {
  let stbl = HEAD_BYTES + sizeOf(track.stsd) + extraLines(track) * CHUNK_LINE_BYTES;
  for (const table of track.tables) stbl += tableSize(table);
  const minf = HEAD_BYTES + sizeOf(track.vmhd) + sizeOf(track.smhd) + sizeOf(track.dinf) + stbl;
  const mdia = HEAD_BYTES + sizeOf(track.mdhd) + sizeOf(track.hdlr) + minf;
  const trak = HEAD_BYTES + sizeOf(track.tkhd) + (track.prefix === 0 ? 0 : EDTS_BYTES) + mdia;
  return { trak, mdia, minf, stbl };
}

function copyRange(head: Bytes, at: number, bytes: Bytes, range: Range | undefined): number {
  if (range === undefined) return at;
  head.set(bytes.subarray(range.start, range.end), at);
  return at + range.end - range.start;
}

function writeTrack(head: Bytes, start: number, bytes: Bytes, track: Track, sizes: TrackSizes): number {
  let at = writeHead(head, start, sizes.trak, TRAK);
  at = copyRange(head, at, bytes, track.tkhd);
  if (track.prefix > 0) at = writeEdit(head, at, track);
  at = writeHead(head, at, sizes.mdia, MDIA);
  const mdhdAt = at;
  at = copyRange(head, at, bytes, track.mdhd);
  if (track.mdhd !== undefined) writeMediaDuration(head, mdhdAt + HEAD_BYTES, track.duration);
  at = copyRange(head, at, bytes, track.hdlr);
  at = writeHead(head, at, sizes.minf, MINF);
  for (const range of [track.vmhd, track.smhd, track.dinf]) at = copyRange(head, at, bytes, range);
  at = writeHead(head, at, sizes.stbl, STBL);
  at = copyRange(head, at, bytes, track.stsd);
  for (const kind of [STTS, STSS, CTTS]) at = writeTable(head, at, bytes, track.tables[kind]);
  at = writeChunks(head, at, bytes, track);
  at = writeTable(head, at, bytes, track.tables[STSZ], track.isUniform);
  for (const kind of [STCO, CO64]) at = writeTable(head, at, bytes, track.tables[kind]);
  return at;
}

/** Tells players to begin behind what comes ahead of the start. */
function writeEdit(head: Bytes, start: number, { movieDuration, prefix }: Track): number {
  const at = writeHead(head, writeHead(head, start, EDTS_BYTES, EDTS), EDTS_BYTES - HEAD_BYTES, ELST);
  // Version 1, one entry: how long, from when on, at the usual rate.
  writeU32(head, at, 0x01000000);
  writeU32(head, at + 4, 1);
  writeU64(head, at + 8, movieDuration);
  writeU64(head, at + 16, BigInt(prefix));
  writeU32(head, at + 24, 0x00010000);
  return start + EDTS_BYTES;
}

function writeMediaDuration(head: Bytes, at: number, duration: bigint): void {
  if (head[at] === 0) writeU32(head, at + 16, Number(duration & 0xffffffffn));
  else writeU64(head, at + 24, duration);
}

/** Writes what stands in front of a table's entries; a number of entries below 0 leaves that of the file. */
function writeTableHead(
  head: Bytes,
  at: number,
  bytes: Bytes,
  table: Table,
  sizeBytes: number,
  entries: number,
): number {
  const { start, headBytes } = table;
  head.set(bytes.subarray(start, start + headBytes), at);
  writeU32(head, at, sizeBytes);
  if (entries >= 0) writeU32(head, at + headBytes - 4, entries);
  return at + headBytes;
}

function writeTable(head: Bytes, start: number, bytes: Bytes, table: Table | undefined, keepsCount = false): number {
  if (table === undefined) return start;
  const at = writeTableHead(head, start, bytes, table, tableSize(table), keepsCount ? -1 : entriesOf(table));
  head.set(bytes.subarray(table.first, table.end), at);
  return at + table.end - table.first;
}

/** The table of chunks has lines of its own for a first and a last chunk that are not whole. */
function writeChunks(head: Bytes, start: number, bytes: Bytes, track: Track): number {
  const table = track.tables[STSC] as Table;
  const more = extraLines(track);
  const size = tableSize(table) + more * CHUNK_LINE_BYTES;
  let at = writeTableHead(head, start, bytes, table, size, entriesOf(table) + more);
  at = writeChunkLine(head, at, track.startLine);
  head.set(bytes.subarray(table.first, table.end), at);
  return writeChunkLine(head, at + table.end - table.first, track.endLine);
}

function writeChunkLine(head: Bytes, at: number, line: ChunkLine | undefined): number {
  if (line === undefined) return at;
  writeU32(head, at, line.chunk);
  writeU32(head, at + 4, line.samples);
  writeU32(head, at + 8, line.description);
  return at + CHUNK_LINE_BYTES;
}
