import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Bytes, concatBytes, fromLatin1 } from "../../base/bytes.ts";
import { md5Hex } from "../../base/hash-md5.ts";
import { readU32, writeU32 } from "../checksum.ts";
import { atomName, readU64 } from "./atoms.ts";
import { cutMp4, parseSeconds } from "./cut.ts";
import {
  atom,
  FILMS,
  findAtoms,
  largeAtom,
  MOVIE,
  type MoviePlan,
  makeMp4,
  PARTS,
  PICTURES,
  readSamples,
  SOUND,
  words,
} from "./mp4.cases.ts";
import type { Mp4Answer, Mp4Cut } from "./source.ts";

const WHOLE: Mp4Cut = {
  startMs: 0n,
  lengthMs: 0n,
  startKeyFrame: false,
  bufferBytes: 512 * 1024,
  maxBufferBytes: 10 * 1024 * 1024,
};

function cut(bytes: Bytes, options: Partial<Mp4Cut>): Mp4Answer {
  const source = {
    name: "F",
    sizeBytes: bytes.length,
    read: (offset: number, size: number): Bytes => bytes.slice(offset, offset + size),
  };
  return cutMp4(source, { ...WHOLE, ...options });
}

/** The file that the client gets. */
function part(plan: MoviePlan | Bytes, options: Partial<Mp4Cut>): Bytes {
  const bytes = plan instanceof Uint8Array ? plan : makeMp4(plan);
  const answer = cut(bytes, options);
  assert.equal(answer.kind, "part", answer.kind === "failed" ? answer.reason : "");
  return answer.kind === "part" ? concatBytes([answer.head, bytes.subarray(answer.start, answer.end)]) : bytes;
}

function reason(bytes: Bytes, options: Partial<Mp4Cut> = { startMs: 2000n }): string {
  const answer = cut(bytes, options);
  return answer.kind === "failed" ? answer.reason : answer.kind;
}

const numbers = (bytes: Bytes, track: number): number[] => readSamples(bytes, track).map(([, fill]) => fill);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
const words32 = (bytes: Bytes): number[] => range(0, bytes.length / 4).map((index) => readU32(bytes, index * 4));
/** The words of an atom of a track behind version and flags. */
const table = (bytes: Bytes, name: string, track = 0): number[] =>
  words32(findAtoms(findAtoms(bytes, "trak")[track] as Bytes, name)[0] as Bytes).slice(1);

/** Every atom fits into the one around it, and those of a movie together are as long as it says. */
function checkSizes(bytes: Bytes): void {
  let at = 0;
  while (at < bytes.length) at += readU32(bytes, at) === 1 ? Number(readU64(bytes, at + 8)) : readU32(bytes, at);
  assert.equal(at, bytes.length);
  for (const name of ["moov", "trak", "mdia", "minf", "stbl"]) {
    for (const data of findAtoms(bytes, name)) {
      let inner = 0;
      while (inner < data.length) inner += readU32(data, inner);
      assert.equal(inner, data.length, name);
    }
  }
}

describe("a part of a movie", () => {
  test("has the samples of its time, and the tables say where they are", () => {
    for (const dataFirst of [false, true]) {
      const file = part({ ...MOVIE, dataFirst }, { startMs: 2600n, lengthMs: 3500n });
      checkSizes(file);
      assert.deepEqual(numbers(file, 0), range(10, 24));
      assert.deepEqual(numbers(file, 1), range(128 + 5, 128 + 12));
      assert.deepEqual(
        readSamples(file, 0).map(([size]) => size),
        range(10, 24).map((sample) => 1 + (sample % 5)),
      );
      assert.deepEqual(table(file, "stts"), [1, 14, 250]);
      assert.deepEqual(table(file, "stts", 1), [2, 5, 50, 2, 50]);
      assert.deepEqual(table(file, "stss"), [2, 1, 11]);
      assert.deepEqual(table(file, "ctts"), [1, 14, 250]);
    }
  });

  test("is right wherever chunks are cut", () => {
    const bytes = makeMp4({ ...MOVIE, tracks: [PICTURES] });
    const chunkOf = (sample: number): number => {
      let chunk = 0;
      for (let left = sample; left >= (PICTURES.chunks[chunk] ?? 0); chunk++) left -= PICTURES.chunks[chunk] as number;
      return chunk;
    };
    for (let start = 0; start < 40; start++) {
      for (let length = 1; start + length <= 40; length++) {
        const answer = cut(bytes, { startMs: BigInt(start * 250), lengthMs: BigInt(length * 250) });
        if (answer.kind !== "part") {
          // nginx finds nothing in a part of one chunk that neither begins nor ends it.
          assert.equal(answer.kind === "failed" && answer.reason, 'no data between start time and end time in "F"');
          assert.ok(chunkOf(start) === chunkOf(start + length - 1) && chunkOf(start - 1) === chunkOf(start));
          continue;
        }
        const file = concatBytes([answer.head, bytes.subarray(answer.start, answer.end)]);
        assert.deepEqual(numbers(file, 0), range(start, start + length));
        checkSizes(file);
      }
    }
  });

  test("goes to the end without a length, and leaves out tracks that end before it begins", () => {
    const file = part(MOVIE, { startMs: 9100n });
    assert.deepEqual(numbers(file, 0), range(36, 40));
    assert.deepEqual(numbers(file, 1), range(128 + 18, 128 + 24));
    const late = part(MOVIE, { startMs: 10_500n });
    assert.equal(findAtoms(late, "trak").length, 1);
    assert.deepEqual(numbers(late, 0), range(128 + 21, 128 + 24));
    checkSizes(late);
  });

  test("has shorter durations: the movie's, the track's, the media's", () => {
    for (const version of [0, 1] as const) {
      const plan = { ...MOVIE, version, tracks: [{ ...PICTURES, version }] };
      const file = part(plan, { startMs: 2500n, lengthMs: 3000n });
      const at = version === 0 ? 16 : 28;
      assert.equal(readU32(findAtoms(file, "mvhd")[0] as Bytes, at), 1800);
      assert.equal(readU32(findAtoms(file, "tkhd")[0] as Bytes, at + 4), 1800);
      assert.equal(readU32(findAtoms(file, "mdhd")[0] as Bytes, at), 3000);
      checkSizes(file);
    }
  });

  test("begins at a key frame when it shall, and tells how much comes ahead", () => {
    const plain = part(MOVIE, { startMs: 6300n, lengthMs: 2000n });
    assert.deepEqual(numbers(plain, 0)[0], 25);
    assert.equal(findAtoms(plain, "edts").length, 0);
    const file = part(MOVIE, { startMs: 6300n, lengthMs: 2000n, startKeyFrame: true });
    assert.deepEqual(numbers(file, 0), range(20, 33));
    const [edit] = findAtoms(findAtoms(file, "trak")[0] as Bytes, "edts");
    const elst = words32((edit as Bytes).subarray(8));
    assert.deepEqual(elst, [0x01000000, 1, 0, 1200, 0, 1250, 0x00010000]);
    assert.equal(readU32(findAtoms(file, "mdhd")[0] as Bytes, 16), 3250);
    assert.equal(findAtoms(findAtoms(file, "trak")[1] as Bytes, "edts").length, 0);
    checkSizes(file);
    const exact = part(MOVIE, { startMs: 5000n, startKeyFrame: true });
    assert.deepEqual(numbers(exact, 0), range(20, 40));
  });

  test("counts what comes ahead of its start through several entries", () => {
    const times = [
      [12, 100],
      [4, 200],
      [24, 50],
    ] as const;
    const plan = { ...MOVIE, tracks: [{ ...PICTURES, times, keyFrames: [1, 6] }] };
    const file = part(plan, { startMs: 2150n, startKeyFrame: true });
    // Sample 19 begins at 2150 ms; the key frame is sample 5: 7 × 100 + 4 × 200 + 3 × 50.
    assert.deepEqual(table(file, "stts"), [3, 7, 100, 4, 200, 24, 50]);
    const [edit] = findAtoms(findAtoms(file, "trak")[0] as Bytes, "edts");
    assert.equal(readU32(edit as Bytes, 8 + 20), 1650);
  });

  test("keeps 64-bit offsets and heads, and gives every atom a plain head", () => {
    const plan = { ...MOVIE, tracks: [{ ...PICTURES, co64: true }], largeData: true, dataFirst: true };
    const file = part(plan, { startMs: 1000n });
    const data = findAtoms(file, "co64")[0] as Bytes;
    assert.equal(file[Number(readU64(data, 8))], 4);
    const bytes = makeMp4({ ...MOVIE, dataFirst: true });
    const movie = findAtoms(bytes, "moov")[0] as Bytes;
    const large = concatBytes([bytes.subarray(0, bytes.length - movie.length - 8), largeAtom("moov", movie)]);
    assert.deepEqual(part(large, { startMs: 1000n }), part(bytes, { startMs: 1000n }));
  });

  test("begins where its first chunk begins when all samples have one size, as nginx has it", () => {
    const plan = { ...MOVIE, tracks: [{ ...SOUND, sizes: 2 }] };
    const file = part(plan, { startMs: 2600n });
    // Sample 5 is the last one of the first chunk.
    assert.deepEqual(numbers(file, 0).slice(0, 3), [0, 6, 7]);
    checkSizes(file);
  });

  test("moves movie data ahead of the samples even when all is asked for; a file that has them there is sent as it is", () => {
    assert.equal(cut(makeMp4(MOVIE), {}).kind, "whole");
    const file = part({ ...MOVIE, dataFirst: true }, {});
    assert.deepEqual(numbers(file, 0), range(0, 40));
    assert.deepEqual(numbers(file, 1), range(128, 152));
    assert.equal(readU32(file, readU32(file, 0) + 4), atomName("moov"));
  });

  test("leaves composition offsets and key frames out when there are none in it", () => {
    const plan = { ...MOVIE, tracks: [{ ...PICTURES, offsets: [[10, 1]] as const, keyFrames: [1] }] };
    const file = part(plan, { startMs: 5000n });
    assert.equal(findAtoms(file, "ctts").length, 0);
    assert.deepEqual(table(file, "stss"), [0]);
    checkSizes(file);
  });
});

describe("what is wrong with a file", () => {
  /** Replaces the data of an atom, of the n-th of its name. */
  function patch(bytes: Bytes, name: string, offset: number, value: number, nth = 0): Bytes {
    const copy = bytes.slice();
    const data = findAtoms(copy, name)[nth] as Bytes;
    writeU32(copy, data.byteOffset - copy.byteOffset + offset, value);
    return copy;
  }
  const rename = (bytes: Bytes, name: string, to: string): Bytes => patch(bytes, name, -4, atomName(to));
  const resize = (bytes: Bytes, name: string, size: number): Bytes => patch(bytes, name, -8, size);
  const movie = makeMp4(MOVIE);

  test("is told in nginx's words", () => {
    const cases: readonly (readonly [Bytes, string])[] = [
      [new Uint8Array(0), 'no mp4 trak atoms were found in "F"'],
      [words(3).subarray(0, 2), '"F" mp4 file truncated'],
      [words(16, 0), '"F" mp4 atom too large:16'],
      [words(7, 0), '"F" mp4 atom is too small:7'],
      [words(1, 0, 0, 15), '"F" mp4 atom is too small:15'],
      [words(1, 0, 0xffffffff, 0xffffffff), '"F" mp4 atom too large:18446744073709551615'],
      [words(8, 0, 0), 'no mp4 trak atoms were found in "F"'],
      [movie.subarray(0, movie.length - 1), '"F" mp4 atom too large:176'],
      [concatBytes([movie, atom("mdat")]), "part"],
      [concatBytes([atom("mdat"), atom("mdat")]), 'duplicate mp4 mdat atom in "F"'],
      [concatBytes([atom("ftyp"), movie]), 'duplicate mp4 ftyp atom in "F"'],
      [atom("ftyp", new Uint8Array(1025)), '"F" mp4 ftyp atom is too large:1025'],
      [rename(movie, "mdat", "free"), 'no mp4 mdat atom was found in "F"'],
      [concatBytes([rename(movie, "mdat", "free"), atom("moov")]), 'duplicate mp4 moov atom in "F"'],
      [makeMp4({ ...MOVIE, inMovie: [atom("cmov")] }), '"F" mp4 compressed moov atom (cmov) is not supported'],
      [makeMp4({ ...MOVIE, inMovie: [atom("mvhd")] }), 'duplicate mp4 mvhd atom in "F"'],
      [makeMp4({ ...MOVIE, inMovie: [atom("trak")] }), 'no mp4 stts atoms were found in "F"'],
      [makeMp4({ ...MOVIE, tracks: [] }), '"F" mp4 start time exceeds file duration'],
      [patch(movie, "stss", 8, 0), "part"],
      [patch(movie, "stsc", 4, 0), 'zero number of entries in stsc atom in "F"'],
      [patch(movie, "stsc", 20, 0), 'unordered mp4 stsc chunks in "F"'],
      [patch(movie, "stsc", 8, 0), 'zero chunk in "F"'],
      [patch(movie, "stco", 4, 1), 'start time is out mp4 stco chunks in "F"'],
      [patch(movie, "stco", 16, 5000), 'too large chunk offset in "F"'],
      [patch(movie, "stsz", 8, 3), 'start time is out mp4 stsz samples in "F"'],
      [patch(movie, "stsz", 36, 5000), 'too large mp4 start samples size in "F"'],
      [patch(movie, "stts", 8, 2), 'start time is out mp4 stts samples in "F"'],
    ];
    assert.deepEqual(
      cases.map(([bytes]) => reason(bytes)),
      cases.map(([, expected]) => expected),
    );
    const single = makeMp4({ ...MOVIE, dataFirst: true, tracks: [{ ...PICTURES, chunks: [40] }] });
    assert.equal(reason(patch(single, "stsc", 12, 0), { startMs: 0n }), 'zero number of samples in "F"');
    assert.equal(reason(patch(movie, "stco", 4, 1), { startMs: 9000n }), 'unordered mp4 stsc chunks in "F"');
    assert.equal(reason(patch(movie, "stss", 8, 0), { startMs: 1n, startKeyFrame: true }), 'zero sync sample in "F"');
  });

  test("may be that an atom is missing, too small, or there twice", () => {
    for (const name of ["stts", "stsc", "stco"])
      assert.equal(reason(rename(movie, name, "free")), `no mp4 ${name} atoms were found in "F"`);
    for (const name of ["mvhd", "tkhd", "mdhd", "stsd", "stts", "stss", "ctts", "stsc", "stsz", "stco"]) {
      const small = resize(movie, name, 11);
      assert.equal(reason(small), `"F" mp4 ${name} atom too small`);
    }
    for (const name of ["stts", "stss", "ctts", "stsc", "stco"])
      assert.equal(reason(patch(movie, name, 4, 0x20000000)), `"F" mp4 ${name} atom too small`);
    assert.equal(reason(patch(movie, "stsz", 8, 0x40000000)), `"F" mp4 stsz atom too small`);
    for (const [from, to, name] of [
      ["ctts", "stts", "stts"],
      ["vmhd", "hdlr", ""],
      ["ctts", "stss", "stss"],
      ["mdhd", "hdlr", "hdlr"],
    ] as const)
      assert.equal(reason(rename(movie, from, to)), name === "" ? "part" : `duplicate mp4 ${name} atom in "F"`);
  });

  test("may be that the part has nothing", () => {
    const pictures = makeMp4({ ...MOVIE, tracks: [PICTURES] });
    assert.equal(reason(pictures, { startMs: 1000n, lengthMs: 1n }), 'no data between start time and end time in "F"');
    const data = findAtoms(movie, "mdat")[0] as Bytes;
    const short = concatBytes([resize(movie, "mdat", 20), atom("free")]);
    writeU32(short, movie.length - data.length + 12, data.length - 12);
    const outside = 'start time is out mp4 mdat atom in "F"';
    assert.equal(reason(short, { startMs: 5000n, lengthMs: 2000n }), outside);
    assert.equal(reason(movie, { startMs: 13_000n }), '"F" mp4 start time exceeds file duration');
    assert.equal(reason(movie, { startMs: 12_000n }), 'no mp4 trak atoms were found in "F"');
    assert.equal(reason(movie, { startMs: 2n ** 63n - 1n }), '"F" mp4 start time exceeds file duration');
  });

  test("may be that it is larger than may be read", () => {
    const message = `"F" mp4 moov atom is too large:${(findAtoms(movie, "moov")[0] as Bytes).length}, you may want to increase mp4_max_buffer_size`;
    assert.equal(reason(movie, { startMs: 1n, bufferBytes: 100, maxBufferBytes: 200 }), message);
    assert.equal(reason(movie, { startMs: 1n, bufferBytes: 100 }), "part");
    assert.equal(reason(movie, { startMs: 1n, bufferBytes: 10 }), '"F" mp4 ftyp atom is too large:12');
    assert.equal(reason(movie, { startMs: 1n, bufferBytes: 3 }), '"F" mp4 file truncated');
    const many = concatBytes(Array.from({ length: 100_001 }, () => atom("free")));
    assert.equal(reason(many), 'too many mp4 atoms in "F"');
    const inMovie = Array.from({ length: 1001 }, () => atom("trak"));
    assert.equal(reason(makeMp4({ ...MOVIE, inMovie })), 'too many mp4 trak atoms in "F"');
  });

  test("may be that it became shorter while it was read", () => {
    const source = { name: "F", sizeBytes: 1000, read: () => words(16) };
    assert.deepEqual(cutMp4(source, { ...WHOLE, startMs: 1n }), {
      kind: "failed",
      level: "crit",
      reason: 'pread() read only 4 of 8 from "F"',
    });
    const broken = cutMp4({ ...source, read: () => undefined }, { ...WHOLE, startMs: 1n });
    assert.deepEqual(broken, { kind: "failed", level: "crit", reason: "" });
  });
});

test("data of 4 GiB get a 64-bit head", () => {
  const sound = { ...SOUND, timescale: 1000, times: [[24, 500]] as const };
  const small = makeMp4({ ...MOVIE, tracks: [{ ...sound, co64: true }] });
  const [movie] = findAtoms(small, "moov");
  const size = 5 * 1024 ** 3;
  const dataHead = largeAtom("mdat").slice();
  new DataView(dataHead.buffer).setUint32(8, 1);
  new DataView(dataHead.buffer).setUint32(12, 0x40000000);
  const front = concatBytes([atom("moov", movie as Bytes), dataHead]);
  const sizeBytes = front.length - 16 + size;
  const read = (offset: number, length: number): Bytes => {
    const bytes = new Uint8Array(length);
    if (offset < front.length) bytes.set(front.subarray(offset, offset + length));
    return bytes;
  };
  const answer = cutMp4({ name: "F", sizeBytes, read }, { ...WHOLE, startMs: 3000n });
  assert.ok(answer.kind === "part");
  const { head, start, end } = answer;
  assert.equal(end, sizeBytes);
  assert.equal(readU32(head, head.length - 16), 1);
  assert.equal(Number(readU64(head, head.length - 8)), 16 + end - start);
  assert.equal(Number(readU64(findAtoms(head, "co64")[0] as Bytes, 8)), head.length);
});

test("seconds may have any number of digits behind the dot", () => {
  for (const [text, ms] of [
    ["1", 1000n],
    ["1.5", 1500n],
    ["0.1239999999999999999999", 123n],
    [".5", 500n],
    [".", 0n],
    ["7.", 7000n],
    ["007", 7000n],
    ["9223372036854775.807", 2n ** 63n - 1n],
  ] as const)
    assert.equal(parseSeconds(text), ms, text);
  for (const text of ["", "1.2.3", "-1", "1e3", "9223372036854775.808", "99999999999999999999", "1.0x"])
    assert.equal(parseSeconds(text), undefined, text);
});

/** Of all answers to `PARTS`, as nginx 1.31.5 gives them: heads, ranges of the files, and reasons. */
const DIGESTS = [
  "a379493389c3f5515a415616ee6bea4e",
  "d2c1c1e640cee27dc7498f7eee29cbfb",
  "7826ab9833505f8af7993d79673ecf12",
  "da6c7217e439c5ea96d56afa465e3f6c",
];

test("heads are to the byte those that nginx makes", () => {
  const digests = FILMS.map((plan) => {
    const bytes = makeMp4(plan);
    const answers = PARTS.map((options) => {
      const answer = cut(bytes, options);
      if (answer.kind !== "part") return fromLatin1(answer.kind === "failed" ? answer.reason : answer.kind);
      return concatBytes([answer.head, words(answer.start, answer.end)]);
    });
    return md5Hex(concatBytes(answers));
  });
  assert.deepEqual(digests, DIGESTS);
});
