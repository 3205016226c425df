/** Small mp4 files, made byte by byte, for tests: the bytes of sample N are all N, so that a part tells which samples it has. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import { readU32, writeU32 } from "../checksum.ts";
import { atomName, HEAD_BYTES, writeHead, writeU64 } from "./atoms.ts";

export function atom(name: string, ...parts: readonly Bytes[]): Bytes {
  const data = concatBytes(parts);
  const bytes = new Uint8Array(HEAD_BYTES + data.length);
  bytes.set(data, writeHead(bytes, 0, bytes.length, atomName(name)));
  return bytes;
}

/** The same with a size of 64 bits. */
export function largeAtom(name: string, ...parts: readonly Bytes[]): Bytes {
  const data = concatBytes(parts);
  const bytes = new Uint8Array(2 * HEAD_BYTES + data.length);
  bytes.set(data, writeHead(bytes, 0, 1, atomName(name)) + HEAD_BYTES);
  writeU64(bytes, HEAD_BYTES, BigInt(bytes.length));
  return bytes;
}

/** Numbers of 32 bits. */
export function words(...values: readonly number[]): Bytes {
  const bytes = new Uint8Array(values.length * 4);
  values.forEach((value, index) => {
    writeU32(bytes, index * 4, value);
  });
  return bytes;
}

/** One track: its samples by time, key frame, offset, chunk and size. */
export interface TrackPlan {
  readonly timescale: number;
  /** Pairs of count and duration. */
  readonly times: readonly (readonly [count: number, duration: number])[];
  /** Numbers of the key frames, from 1 on. */
  readonly keyFrames?: readonly number[];
  readonly offsets?: readonly (readonly [count: number, offset: number])[];
  /** Samples of each chunk, in order. */
  readonly chunks: readonly number[];
  /** Of each sample; one number when all are the same. */
  readonly sizes: readonly number[] | number;
  readonly co64?: boolean;
  readonly version?: 0 | 1;
  readonly kind?: "video" | "sound";
}

export interface MoviePlan {
  readonly timescale: number;
  readonly tracks: readonly TrackPlan[];
  /** `mdat` in front of `moov`. */
  readonly dataFirst?: boolean;
  readonly version?: 0 | 1;
  /** More atoms, behind `ftyp` and at the end of `moov`. */
  readonly between?: readonly Bytes[];
  readonly inMovie?: readonly Bytes[];
  readonly largeData?: boolean;
}

/** Head of an atom with times: version, flags, two dates, then timescale and duration or (`tkhd`) number, 0 and duration. */
function timed(version: 0 | 1, first: readonly number[], duration: number, restBytes: number): Bytes {
  const dates = version === 0 ? [0, 0] : [0, 0, 0, 0];
  const length = version === 0 ? [duration] : [0, duration];
  return concatBytes([words(version << 24, ...dates, ...first, ...length), new Uint8Array(restBytes)]);
}

function samplesOf({ times }: TrackPlan): number {
  return times.reduce((sum, [count]) => sum + count, 0);
}

function unitsOf({ times }: TrackPlan): number {
  return times.reduce((sum, [count, duration]) => sum + count * duration, 0);
}

function sizeOf({ sizes }: TrackPlan, sample: number): number {
  return typeof sizes === "number" ? sizes : (sizes[sample] as number);
}

/** Lines of `stsc`: one where the number of samples changes. */
function chunkLines(chunks: readonly number[]): readonly number[] {
  return chunks.flatMap((samples, index) => (samples === chunks[index - 1] ? [] : [index + 1, samples, 1]));
}

function sampleTables(plan: TrackPlan, offsets: readonly number[]): Bytes {
  const { times, keyFrames, offsets: compositions, chunks, sizes, co64 } = plan;
  const lines = chunkLines(chunks);
  const list = typeof sizes === "number" ? [] : sizes;
  return atom(
    "stbl",
    atom("stsd", words(0, 1), atom("test", words(0, 1))),
    atom("stts", words(0, times.length, ...times.flat())),
    ...(keyFrames === undefined ? [] : [atom("stss", words(0, keyFrames.length, ...keyFrames))]),
    ...(compositions === undefined ? [] : [atom("ctts", words(0, compositions.length, ...compositions.flat()))]),
    atom("stsc", words(0, lines.length / 3, ...lines)),
    atom("stsz", words(0, typeof sizes === "number" ? sizes : 0, samplesOf(plan), ...list)),
    co64 === true
      ? atom("co64", words(0, offsets.length, ...offsets.flatMap((offset) => [0, offset])))
      : atom("stco", words(0, offsets.length, ...offsets)),
  );
}

function trackAtom(movie: MoviePlan, plan: TrackPlan, number: number, offsets: readonly number[]): Bytes {
  const { version = 0, timescale, kind = "video" } = plan;
  const units = unitsOf(plan);
  const inMovie = Math.floor((units * movie.timescale) / timescale);
  return atom(
    "trak",
    atom("tkhd", timed(version, [number, 0], inMovie, 60)),
    atom("edts", atom("elst", words(0, 0))),
    atom(
      "mdia",
      atom("mdhd", timed(version, [timescale], units, 4)),
      atom("hdlr", words(0, 0, kind === "video" ? atomName("vide") : atomName("soun"))),
      atom(
        "minf",
        kind === "video" ? atom("vmhd", words(1, 0, 0)) : atom("smhd", words(0, 0)),
        atom("dinf", atom("dref", words(0, 0))),
        sampleTables(plan, offsets),
      ),
    ),
  );
}

/** Where each chunk of each track lies, first the first one of each track, then the second ones. */
function layOut(tracks: readonly TrackPlan[], start: number): { offsets: number[][]; data: Bytes } {
  const offsets = tracks.map((): number[] => []);
  const next = tracks.map(() => 0);
  const parts: Bytes[] = [];
  let at = start;
  for (let chunk = 0; tracks.some(({ chunks }) => chunk < chunks.length); chunk++) {
    tracks.forEach((track, index) => {
      if (chunk >= track.chunks.length) return;
      (offsets[index] as number[]).push(at);
      for (let i = 0; i < (track.chunks[chunk] as number); i++) {
        const sample = next[index] as number;
        next[index] = sample + 1;
        const part = new Uint8Array(sizeOf(track, sample)).fill(index * 128 + sample);
        parts.push(part);
        at += part.length;
      }
    });
  }
  return { offsets, data: concatBytes(parts) };
}

export function makeMp4(plan: MoviePlan): Bytes {
  const { tracks, timescale, version = 0, dataFirst = false, between = [], inMovie = [], largeData = false } = plan;
  const front = concatBytes([atom("ftyp", words(atomName("isom"), 512, atomName("isom"))), ...between]);
  const longest = tracks.reduce(
    (most, track) => Math.max(most, Math.floor((unitsOf(track) * timescale) / track.timescale)),
    0,
  );
  const movie = (offsets: readonly (readonly number[])[]): Bytes =>
    atom(
      "moov",
      atom("mvhd", timed(version, [timescale], longest, 80)),
      ...tracks.map((track, index) => trackAtom(plan, track, index + 1, offsets[index] as readonly number[])),
      ...inMovie,
    );
  const movieBytes = movie(layOut(tracks, 0).offsets).length;
  const start = front.length + (dataFirst ? 0 : movieBytes) + HEAD_BYTES * (largeData ? 2 : 1);
  const { offsets, data } = layOut(tracks, start);
  const dataAtom = largeData ? largeAtom("mdat", data) : atom("mdat", data);
  return concatBytes(dataFirst ? [front, dataAtom, movie(offsets)] : [front, movie(offsets), dataAtom]);
}

/** Ten seconds of pictures, four a second, three to five in a chunk; twelve seconds of sound, two a second. */
export const PICTURES: TrackPlan = {
  timescale: 1000,
  times: [[40, 250]],
  keyFrames: [1, 11, 21, 31],
  offsets: [
    [10, 0],
    [30, 250],
  ],
  chunks: [3, 3, 3, 5, 5, 5, 4, 4, 4, 4],
  sizes: Array.from({ length: 40 }, (_, sample) => 1 + (sample % 5)),
};
export const SOUND: TrackPlan = {
  timescale: 100,
  times: [
    [10, 50],
    [14, 50],
  ],
  chunks: [6, 6, 6, 6],
  sizes: Array.from({ length: 24 }, () => 2),
  kind: "sound",
};

export const MOVIE: MoviePlan = { timescale: 600, tracks: [PICTURES, SOUND] };

const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl"].map(atomName));

/** The data of all atoms of a name, wherever they are. */
export function findAtoms(bytes: Bytes, name: string, start = 0, end = bytes.length): Bytes[] {
  const found: Bytes[] = [];
  for (let at = start; at + HEAD_BYTES <= end; ) {
    const size = readU32(bytes, at);
    if (size < HEAD_BYTES) break;
    const type = readU32(bytes, at + 4);
    if (type === atomName(name)) found.push(bytes.subarray(at + HEAD_BYTES, at + size));
    if (CONTAINERS.has(type)) found.push(...findAtoms(bytes, name, at + HEAD_BYTES, at + size));
    at += size;
  }
  return found;
}

/** The samples of a track of a file, each as its size and the number that it is filled with, found by its own tables. */
export function readSamples(bytes: Bytes, track: number): readonly (readonly [size: number, fill: number])[] {
  const table = (name: string): number[] => {
    const data = findAtoms(findAtoms(bytes, "trak")[track] as Bytes, name)[0] as Bytes;
    return Array.from({ length: data.length / 4 }, (_, index) => readU32(data, index * 4));
  };
  const [, uniform, count = 0, ...sizes] = table("stsz");
  const [, , ...lines] = table("stsc");
  const [, , ...offsets] = table("stco");
  const samples: [number, number][] = [];
  offsets.forEach((offset, index) => {
    let line = 0;
    while (line + 3 < lines.length && (lines[line + 3] as number) <= index + 1) line += 3;
    let at = offset;
    for (let i = 0; i < (lines[line + 1] as number) && (uniform !== 0 || samples.length < count); i++) {
      const size = uniform === 0 ? (sizes[samples.length] as number) : (uniform as number);
      samples.push([size, bytes[at] as number]);
      at += size;
    }
  });
  return samples;
}

const UNEVEN: TrackPlan = {
  ...PICTURES,
  times: [
    [12, 100],
    [4, 400],
    [1, 0],
    [23, 250],
  ],
  keyFrames: [1, 4, 9, 17, 18, 39],
  offsets: [
    [1, 9],
    [15, 8],
    [23, 7],
  ],
  chunks: [1, 1, 7, 2, 2, 2, 9, 3, 3, 3, 3, 4],
};

/** Films and parts of them that between them meet every case of cutting. */
export const FILMS: readonly MoviePlan[] = [
  MOVIE,
  { ...MOVIE, dataFirst: true, tracks: [SOUND, UNEVEN] },
  { ...MOVIE, version: 1, tracks: [{ ...UNEVEN, version: 1, co64: true }], largeData: true },
  { ...MOVIE, timescale: 90_000, tracks: [{ ...SOUND, sizes: 3 }, PICTURES], between: [atom("free", words(1, 2))] },
];
export const PARTS: readonly {
  readonly startMs: bigint;
  readonly lengthMs: bigint;
  readonly startKeyFrame: boolean;
}[] = Array.from({ length: 50 }, (_, step) => BigInt(step * 249)).flatMap((startMs) =>
  [0n, 1n, 251n, 500n, 1249n, 3333n, 20_000n].flatMap((lengthMs) =>
    [false, true].map((startKeyFrame) => ({ startMs, lengthMs, startKeyFrame })),
  ),
);
