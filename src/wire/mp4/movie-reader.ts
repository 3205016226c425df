/**
 * Takes `moov` apart, and shortens the durations in it in place: those that are told of the movie, a track and its media. A track
 * that ends before the start is left out. Counterpart in nginx: the handlers of ngx_http_mp4_moov_atoms and below.
 */
import type { Bytes } from "../../base/bytes.ts";
import { readU32, writeU32 } from "../checksum.ts";
import { type AtomReader, OK, SKIP, type Visit } from "./atom-reader.ts";
import { atomName, HEAD_BYTES, readU64, writeHead, writeU64 } from "./atoms.ts";
import type { Mp4Cut } from "./source.ts";
import { CO64, CTTS, type Range, STCO, STSC, STSS, STSZ, STTS, Track } from "./track.ts";

/** Tracks of a movie; nginx takes any number. */
const MAX_TRACKS = 1000;

const MVHD = atomName("mvhd");
const TRAK = atomName("trak");
const CMOV = atomName("cmov");
const TKHD = atomName("tkhd");
const MDIA = atomName("mdia");
const MDHD = atomName("mdhd");
const HDLR = atomName("hdlr");
const MINF = atomName("minf");
const VMHD = atomName("vmhd");
const SMHD = atomName("smhd");
const DINF = atomName("dinf");
const STBL = atomName("stbl");
const STSD = atomName("stsd");
const MIN_STSD_BYTES = 16;

/** A table's atom: how much stands in front of its entries, how large those are, and which fault is found first. */
interface TableShape {
  readonly kind: number;
  readonly headBytes: number;
  readonly entryBytes: number;
  readonly secondBeforeShort: boolean;
}

const TABLES: ReadonlyMap<number, TableShape> = new Map([
  [atomName("stts"), { kind: STTS, headBytes: 16, entryBytes: 8, secondBeforeShort: false }],
  [atomName("stss"), { kind: STSS, headBytes: 16, entryBytes: 4, secondBeforeShort: true }],
  [atomName("ctts"), { kind: CTTS, headBytes: 16, entryBytes: 8, secondBeforeShort: true }],
  [atomName("stsc"), { kind: STSC, headBytes: 16, entryBytes: 12, secondBeforeShort: false }],
  [atomName("stsz"), { kind: STSZ, headBytes: 20, entryBytes: 4, secondBeforeShort: true }],
  [atomName("stco"), { kind: STCO, headBytes: 16, entryBytes: 4, secondBeforeShort: false }],
  [atomName("co64"), { kind: CO64, headBytes: 16, entryBytes: 8, secondBeforeShort: false }],
]);

/** Where an atom keeps its times, by version 0 and 1: the least that it has of data, and offsets in them. */
interface TimeShape {
  readonly leastBytes: readonly [number, number];
  readonly timescaleAt: readonly [number, number];
  readonly durationAt: readonly [number, number];
}
const MVHD_TIMES: TimeShape = { leastBytes: [100, 112], timescaleAt: [12, 20], durationAt: [16, 24] };
const TKHD_TIMES: TimeShape = { leastBytes: [84, 96], timescaleAt: [12, 20], durationAt: [20, 28] };
const MDHD_TIMES: TimeShape = { leastBytes: [24, 36], timescaleAt: [12, 20], durationAt: [16, 24] };

interface Times {
  readonly version: 0 | 1;
  readonly timescale: number;
  readonly duration: bigint;
}

export class MovieReader {
  /** The data of `moov`; changed in place. */
  readonly bytes: Bytes;
  readonly tracks: Track[] = [];
  mvhd: Range | undefined = undefined;
  private readonly atoms: AtomReader;
  private readonly cut: Mp4Cut;
  private readonly name: string;
  private timescale = 0;

  constructor(atoms: AtomReader, cut: Mp4Cut, bytes: Bytes) {
    this.atoms = atoms;
    this.cut = cut;
    this.bytes = bytes;
    this.name = atoms.source.name;
    atoms.loaded = bytes;
    atoms.loadedAt = atoms.offset;
  }

  run(): number {
    return this.inside(this.bytes.length, this.movieAtom);
  }

  private inside(size: number, visit: Visit): number {
    return this.atoms.readAtoms(this.atoms.offset + size, visit);
  }

  private fault(reason: string): number {
    return this.atoms.fault(reason);
  }

  private duplicate(name: string): number {
    return this.fault(`duplicate mp4 ${name} atom in "${this.name}"`);
  }

  private tooSmall(name: string): number {
    return this.fault(`"${this.name}" mp4 ${name} atom too small`);
  }

  /** Offset of the data of the current atom in `bytes`. */
  private get at(): number {
    return this.atoms.offset - this.atoms.loadedAt;
  }

  /** Gives the current atom a head of eight bytes right before its data, and moves on behind it. */
  private take(name: number, size: number): Range {
    const start = this.at - HEAD_BYTES;
    writeHead(this.bytes, start, HEAD_BYTES + size, name);
    this.atoms.offset += size;
    return { start, end: start + HEAD_BYTES + size };
  }

  // ---- the movie

  private readonly movieAtom: Visit = (name, size) => {
    if (name === MVHD) return this.readMvhd(size);
    if (name === TRAK) return this.readTrack(size);
    if (name === CMOV) return this.fault(`"${this.name}" mp4 compressed moov atom (cmov) is not supported`);
    return undefined;
  };

  private readMvhd(size: number): number {
    if (this.mvhd !== undefined) return this.duplicate("mvhd");
    const times = this.readTimes(MVHD_TIMES, size);
    if (times === undefined) return this.tooSmall("mvhd");
    this.timescale = times.timescale;
    const start = unitsOf(this.cut.startMs, times.timescale);
    if (times.duration < start) return this.fault(`"${this.name}" mp4 start time exceeds file duration`);
    const duration = this.shorten(times.duration - start, times.timescale);
    this.writeDuration(MVHD_TIMES, times, this.at, duration);
    this.mvhd = this.take(MVHD, size);
    return OK;
  }

  private readTrack(size: number): number {
    const end = this.atoms.offset + size;
    if (this.tracks.length >= MAX_TRACKS) return this.fault(`too many mp4 trak atoms in "${this.name}"`);
    this.tracks.push(new Track());
    const rc = this.inside(size, this.trackAtom);
    if (rc !== SKIP) return rc;
    this.tracks.pop();
    this.atoms.offset = end;
    return OK;
  }

  private get track(): Track {
    return this.tracks.at(-1) as Track;
  }

  private readonly trackAtom: Visit = (name, size) => {
    if (name === TKHD) return this.readTkhd(size);
    if (name !== MDIA) return undefined;
    if (this.track.hasMdia) return this.duplicate("mdia");
    this.track.hasMdia = true;
    return this.inside(size, this.mediaAtom);
  };

  private readTkhd(size: number): number {
    const times = this.readTimes(TKHD_TIMES, size);
    if (times === undefined) return this.tooSmall("tkhd");
    const start = unitsOf(this.cut.startMs, this.timescale);
    if (times.duration <= start) return SKIP;
    const duration = this.shorten(times.duration - start, this.timescale);
    if (this.track.tkhd !== undefined) return this.duplicate("tkhd");
    this.track.movieDuration = duration;
    this.writeDuration(TKHD_TIMES, times, this.at, duration);
    this.track.tkhd = this.take(TKHD, size);
    return OK;
  }

  // ---- media

  private readonly mediaAtom: Visit = (name, size) => {
    const { track } = this;
    if (name === MDHD) return this.readMdhd(size);
    if (name === HDLR) {
      if (track.hdlr !== undefined) return this.duplicate("hdlr");
      track.hdlr = this.take(name, size);
      return OK;
    }
    if (name !== MINF) return undefined;
    if (track.hasMinf) return this.duplicate("minf");
    track.hasMinf = true;
    return this.inside(size, this.mediaInformationAtom);
  };

  private readMdhd(size: number): number {
    const times = this.readTimes(MDHD_TIMES, size);
    if (times === undefined) return this.tooSmall("mdhd");
    const { track } = this;
    const start = unitsOf(this.cut.startMs, times.timescale);
    if (times.duration <= start) return SKIP;
    if (track.mdhd !== undefined) return this.duplicate("mdhd");
    track.timescale = times.timescale;
    track.duration = this.shorten(times.duration - start, times.timescale);
    track.mdhd = this.take(MDHD, size);
    return OK;
  }

  private readonly mediaInformationAtom: Visit = (name, size) => {
    const { track } = this;
    if (name === VMHD || name === SMHD) {
      if (track.vmhd !== undefined || track.smhd !== undefined) return this.duplicate("vmhd/smhd");
      if (name === VMHD) track.vmhd = this.take(name, size);
      else track.smhd = this.take(name, size);
      return OK;
    }
    if (name === DINF) {
      if (track.dinf !== undefined) return this.duplicate("dinf");
      track.dinf = this.take(name, size);
      return OK;
    }
    if (name !== STBL) return undefined;
    if (track.hasStbl) return this.duplicate("stbl");
    track.hasStbl = true;
    return this.inside(size, this.sampleAtom);
  };

  // ---- tables of samples

  private readonly sampleAtom: Visit = (name, size) => {
    if (name === STSD) {
      if (size < MIN_STSD_BYTES) return this.tooSmall("stsd");
      if (this.track.stsd !== undefined) return this.duplicate("stsd");
      this.track.stsd = this.take(name, size);
      return OK;
    }
    const shape = TABLES.get(name);
    return shape === undefined ? undefined : this.readTable(name, size, shape);
  };

  private readTable(
    name: number,
    size: number,
    { kind, headBytes, entryBytes, secondBeforeShort }: TableShape,
  ): number {
    const { bytes, track, at } = this;
    const text = String.fromCharCode(name >>> 24, (name >>> 16) & 255, (name >>> 8) & 255, name & 255);
    const dataHead = headBytes - HEAD_BYTES;
    if (size < dataHead) return this.tooSmall(text);
    const entries = readU32(bytes, at + dataHead - 4);
    // Samples of one size have no entries.
    const isUniform = kind === STSZ && readU32(bytes, at + 4) !== 0;
    const listed = isUniform ? 0 : entries;
    const isShort = dataHead + listed * entryBytes > size;
    const isChunks = kind === STCO || kind === CO64;
    const isSecond = isChunks ? track.hasChunkOffsets : track.tables[kind] !== undefined;
    if (isShort && !(isSecond && secondBeforeShort)) return this.tooSmall(text);
    if (isSecond) return this.duplicate(isChunks ? "stco/co64" : text);
    if (isChunks) track.chunks = entries;
    if (isUniform) track.isUniform = true;
    const { start } = this.take(name, size);
    const first = start + headBytes;
    track.tables[kind] = { start, headBytes, entryBytes, first, end: first + listed * entryBytes };
    return OK;
  }

  // ---- times

  /** Undefined when the atom is too small for them. */
  private readTimes({ leastBytes, timescaleAt, durationAt }: TimeShape, size: number): Times | undefined {
    const { bytes, at } = this;
    if (size < leastBytes[0]) return undefined;
    const version = bytes[at] === 0 ? 0 : 1;
    if (size < leastBytes[version]) return undefined;
    const timescale = readU32(bytes, at + timescaleAt[version]);
    const durationStart = at + durationAt[version];
    const duration = version === 0 ? BigInt(readU32(bytes, durationStart)) : readU64(bytes, durationStart);
    return { version, timescale, duration };
  }

  private writeDuration({ durationAt }: TimeShape, { version }: Times, at: number, duration: bigint): void {
    if (version === 0) writeU32(this.bytes, at + durationAt[0], Number(duration & 0xffffffffn));
    else writeU64(this.bytes, at + durationAt[1], duration);
  }

  private shorten(duration: bigint, timescale: number): bigint {
    if (this.cut.lengthMs === 0n) return duration;
    const length = unitsOf(this.cut.lengthMs, timescale);
    return duration > length ? length : duration;
  }
}

/** Milliseconds in units of so many a second, in 64 bits as nginx reckons. */
export function unitsOf(ms: bigint, timescale: number): bigint {
  return BigInt.asUintN(64, ms * BigInt(timescale)) / 1000n;
}
