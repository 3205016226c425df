/** What a fuzzed client says to the web server itself: requests with oddities of their grammar, pipelined, mutated, cut up. A seed decides. */
import { Random } from "../sim/random.ts";
import type { FuzzCase } from "./differential.ts";
import {
  BODIES,
  HUGE_LENGTHS,
  HUGE_SIZES,
  METHODS,
  ODD_ENCODINGS,
  ODD_LENGTHS,
  ODD_LINES,
  ODD_METHODS,
  ODD_SIZES,
  ODD_TARGETS,
  ODD_VERSIONS,
  TARGETS,
} from "./words.ts";

/** One conversation with the server. */
export interface Http1Case extends FuzzCase {
  /** What the client sends, in pieces that make sense when one of them is left out. */
  readonly pieces: readonly string[];
  /** Where the client pauses, as parts of the whole. */
  readonly cuts: readonly number[];
  /** Every byte is sent by itself. */
  readonly dribbled: boolean;
  /** `last`: with one more request, whose answer tells where the server has seen the others end. `half`: with the end of what it sends. */
  readonly ending: "last" | "half";
}

/** Ends a conversation, and asks that the connection end with it. */
export const LAST_REQUEST = "GET /last HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n";

/** Places where a lane does different things; `configuration` in http1-lanes.ts has them. */
const PLACES = ["", "", "", "/static", "/static/d", "/body", "/body", "/body", "/stream", "/small", "/store", "/none"];
const LEAVES = ["", "/", "/a.txt", "/index.html", "/x", "/a.txt/"];
const SEGMENTS = [
  "a",
  "",
  ".",
  "..",
  "%2e",
  "%2E%2e",
  "%2f",
  "%25",
  "%3f",
  "%23",
  "%00",
  "%0a",
  "%c0%ae",
  "%e9",
  "...",
];
const MORE_SEGMENTS = [
  "a%5cb",
  ";b",
  "a+b",
  "a.",
  ".a",
  "%",
  "%2",
  "%zz",
  "?",
  "#",
  "a%20b",
  "\xe9",
  "~",
  "%7e",
  "@",
  ":",
];
const SCHEMES = ["http", "HTTP", "https", "ftp", "h+t-p.1", "h_p", "1http", ""];
const AUTHORITIES = [
  "fuzz",
  "other",
  "FUZZ",
  "fuzz:80",
  "fuzz:",
  "fuzz:x",
  "[::1]",
  "[::1]:80",
  "[::",
  "[::1]x",
  "a.b-c",
];
const MORE_AUTHORITIES = [
  "",
  "u@fuzz",
  "fuzz.",
  "f..z",
  "f_z",
  "f%41",
  "fuzz:99999",
  "\xe9",
  ".",
  "-",
  "other.",
  "[v1.a]",
];
const HOSTS = [
  "other",
  "OTHER",
  "other.",
  "other:81",
  "nobody",
  "a.wild",
  "wild",
  "re7",
  "",
  " ",
  "f z",
  "fuzz\t",
  "f,z",
];
const MORE_HOSTS = [
  "[::1]",
  "[::1",
  "[x",
  "::1",
  "fuzz:",
  "fuzz:65535",
  "fuzz:65536",
  "fuzz:-1",
  "fuzz:0x50",
  "f/z",
  "f\\z",
];
const STILL_MORE_HOSTS = [
  "f?z",
  "f#z",
  "f@z",
  '"fuzz"',
  "f%20z",
  "f%z",
  "f\0z",
  "f\x7fz",
  "f\xe9z",
  "..",
  "a..b",
  ".fuzz",
  "f'z",
];
const LINES = [
  "Expect: 100-Continue",
  "Expect: 100-continue\r\nExpect: 100-continue",
  "Expect:",
  "Expect: x",
  "Range: bytes=1-2",
  "Range: bytes=5-1",
  "Range: bytes=0-0,2-3",
  "Range: bytes=99999-",
  "Range: bytes=-3",
  "Range: bytes=x",
  "Range: lines=1-2",
  "Range: bytes=0-1\r\nRange: bytes=2-3",
  'If-Range: "x"\r\nRange: bytes=0-1',
  "If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT",
  "If-Modified-Since: x",
  "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
  "If-Match: x",
  "If-Match: *",
  'If-None-Match: W/"x", *',
  "Connection: keep-alive\r\nConnection: close",
  "Connection: close\r\nConnection: keep-alive",
  "Connection: keep-alive, close",
  "Connection: xclosex",
  "Connection:",
  "Authorization: a\r\nAuthorization: b",
  "Content-Length: 0\r\nContent-Length: 0",
  "Cookie: a=b\r\nCookie: c=d",
  "X-A: 1\r\nX-A: 2",
  "X-A:",
  "X-A: ",
  "X-A:\t1 2  3 \t ",
  "x-a:1",
  "X-A: \x80\xff",
  'X-A: "\\',
  "X-A\t: 1",
  "X-A:\x0b1",
  "X\r-A: 1",
  "X-A: 1\r",
  "X-A: 1\r\r",
  "\r",
  "\rX: y",
  ":",
  ": y",
  "X",
  "X ",
  "X:\0",
  "X-\x80: y",
  "X{y}: z",
  "X\x1f: z",
  "X@y: z",
  "Via: 1.1 a\r\nVia: 1.1 b",
  "User-Agent: MSIE 5.0",
  "User-Agent: a MSIE 6.0",
  "Keep-Alive: 5",
  "Proxy-Authorization: a\r\nproxy-authorization: b",
  "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
];
const EXTENSIONS = [
  ";",
  ";a",
  "; a=b",
  ';a="b;c"',
  ";a=\t",
  " ;a",
  "\t",
  " ",
  ";\x01",
  ";\x7f",
  ";\xe9",
  ";a\rb",
  ';a="\\"',
  ";0",
];
const BYTES = [
  "\0",
  "\r",
  "\n",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "%",
  "/",
  "?",
  "#",
  "\x01",
  "\x7f",
  "\x80",
  "\xff",
  "0",
  "A",
  "\r\n",
];
const ENDS = ["\n", "\r\r\n", "\r", "\n\r", "\r\n\r", "", "\n\n", "\r\n "];
/** Around the bounds of the buffers of some lane. */
const SIZES = [
  100, 127, 128, 129, 200, 255, 256, 257, 300, 500, 511, 512, 513, 520, 600, 760, 800, 1000, 1024, 1100, 2100, 8190,
  8200,
];
const DRIBBLED_BYTES = 400;

type Oddity =
  | "method"
  | "target"
  | "path"
  | "absolute"
  | "authority"
  | "version"
  | "line"
  | "length"
  | "coding"
  | "both"
  | "twice"
  | "chunk"
  | "extension"
  | "end"
  | "fold"
  | "host"
  | "size"
  | "many"
  | "bytes"
  | "early"
  | "cut";
const ODDITIES: readonly Oddity[] = [
  ...([
    "method",
    "target",
    "path",
    "path",
    "absolute",
    "authority",
    "version",
    "version",
    "line",
    "line",
    "line",
  ] as const),
  ...([
    "length",
    "coding",
    "both",
    "twice",
    "chunk",
    "chunk",
    "extension",
    "end",
    "end",
    "fold",
    "host",
    "host",
  ] as const),
  ...(["size", "size", "many", "bytes", "bytes", "bytes", "early", "cut"] as const),
];

/** A conversation from a seed. */
export function makeCase(seed: number, lanes: number): Http1Case {
  const random = new Random(seed);
  const lane = random.integer(0, lanes - 1);
  const count = random.pick([1, 1, 1, 2, 2, 3, 5]);
  const odd = random.integer(0, count - 1);
  const pieces = Array.from({ length: count }, (_, at) =>
    request(random, at === odd ? random.integer(1, 2) : 0),
  ).flat();
  const total = pieces.join("").length;
  const way = random.unit();
  const cuts =
    way < 0.25 ? Array.from({ length: random.integer(1, 4) }, () => random.unit()).sort((a, b) => a - b) : [];
  return {
    seed,
    lane,
    pieces,
    cuts,
    dribbled: way > 0.92 && total < DRIBBLED_BYTES,
    ending: random.chance(0.12) ? "half" : "last",
  };
}

/** A request in pieces: its first line, each header line, the empty line, the body. */
function request(random: Random, oddities: number): string[] {
  const odd = new Set(Array.from({ length: oddities }, () => random.pick(ODDITIES)));
  const body = random.pick(BODIES);
  const hasBody = ["length", "coding", "both", "twice", "chunk", "extension"].some((oddity) =>
    odd.has(oddity as Oddity),
  );
  const method = odd.has("method") ? random.pick(ODD_METHODS) : random.pick(hasBody ? ["POST", "PUT", "GET"] : METHODS);
  const sends = hasBody || ["POST", "PUT", "PATCH"].includes(method) || random.chance(0.05);
  const isChunked =
    sends && (["coding", "both", "chunk", "extension"].some((o) => odd.has(o as Oddity)) || random.chance(0.4));
  const version = odd.has("version") ? random.pick(ODD_VERSIONS) : random.chance(0.1) ? "HTTP/1.0" : "HTTP/1.1";
  const target = odd.has("authority") && random.chance(0.5) ? authority(random) : makeTarget(random, odd);
  const lines = headerLines(random, odd);
  if (sends) lines.push(...framing(random, body, odd, isChunked));
  if (random.chance(0.2)) lines.reverse();
  const end = odd.has("end") ? random.pick(ENDS) : "\r\n";
  const oddEnd = random.integer(0, lines.length + 1);
  const ends = (index: number): string => (index === oddEnd ? end : "\r\n");
  const first = version === "" ? `${method} ${target}` : `${method} ${target} ${version}`;
  const early = odd.has("early")
    ? [random.pick(["\r\n", "\n", "\r", "\r\n\r\n", " ", "\0", "\n\n\n", "\r\r\n", "0\r\n\r\n"])]
    : [];
  const pieces = [
    ...early,
    `${odd.has("authority") && !target.includes("/") ? first.replace(/^\S+/, "CONNECT") : first}${ends(0)}`,
    ...lines.map((line, at) => `${line}${ends(at + 1)}`),
    ends(lines.length + 1),
    ...(sends ? (isChunked ? chunks(random, body, odd) : [body]) : []),
  ];
  if (odd.has("bytes")) mutate(random, pieces);
  return odd.has("cut") ? [...pieces.slice(0, -1), (pieces.at(-1) ?? "").slice(0, -1)] : pieces;
}

function makeTarget(random: Random, odd: ReadonlySet<Oddity>): string {
  let target = random.pick(PLACES) + random.pick(LEAVES) || "/";
  if (odd.has("target")) target = random.pick(random.chance(0.7) ? ODD_TARGETS : TARGETS);
  if (odd.has("path")) target = Array.from({ length: random.integer(1, 5) }, () => `/${segment(random)}`).join("");
  if (odd.has("size") && random.chance(0.4)) target = `/${"u".repeat(random.pick(SIZES))}`;
  if (random.chance(0.15))
    target += random.pick(["?", "?a=b", "?a%20b", "?a?b", "?/../x", "?%zz", "?a b", "?a#b", "?\xe9"]);
  if (odd.has("absolute")) {
    const separator = random.chance(0.9) ? "://" : random.pick([":/", ":///", "//", ":", ":\\\\"]);
    target = `${random.pick(SCHEMES)}${separator}${authority(random)}${random.chance(0.7) ? target : random.pick(["", "?q", "?", "#f"])}`;
  }
  return target;
}

function segment(random: Random): string {
  return random.pick(random.chance(0.5) ? SEGMENTS : MORE_SEGMENTS);
}

function authority(random: Random): string {
  return random.pick(random.chance(0.6) ? AUTHORITIES : MORE_AUTHORITIES);
}

function headerLines(random: Random, odd: ReadonlySet<Oddity>): string[] {
  const lines = [hostLine(random, odd)].filter((line) => line !== undefined);
  if (odd.has("line")) lines.push(random.pick(random.chance(0.4) ? ODD_LINES : LINES));
  if (random.chance(0.15)) lines.push(random.pick(LINES));
  if (random.chance(0.1)) lines.push(random.pick(["Connection: close", "Connection: keep-alive"]));
  if (odd.has("fold"))
    lines.push(`X-A: b\r\n${random.pick([" ", "\t", " \t"])}${random.pick(["folded", "Host: x", ""])}`);
  if (odd.has("size")) {
    const filler = random.pick(["n", "v", " ", "_", "é".slice(0, 1)]).repeat(random.pick(SIZES));
    lines.push(random.pick([`X-Big: ${filler}`, `X${filler}: y`, `X-A: ${filler} v`, filler]));
    if (random.chance(0.3)) lines.push(`X-Also: ${"w".repeat(random.pick(SIZES))}`);
  }
  if (odd.has("many"))
    for (let left = random.integer(1, 12); left > 0; left--) lines.push(`X-${left}: ${"m".repeat(left * 7)}`);
  return lines;
}

function hostLine(random: Random, odd: ReadonlySet<Oddity>): string | undefined {
  if (!odd.has("host")) return `Host: ${random.chance(0.1) ? random.pick(HOSTS.slice(0, 8)) : "fuzz"}`;
  const host = random.pick(random.chance(0.4) ? HOSTS : random.chance(0.5) ? MORE_HOSTS : STILL_MORE_HOSTS);
  return random.pick([undefined, "Host: fuzz\r\nHost: other", "Host", "host:fuzz", ...Array(6).fill(`Host: ${host}`)]);
}

function framing(random: Random, body: string, odd: ReadonlySet<Oddity>, isChunked: boolean): string[] {
  const length = Math.max(0, body.length + (random.chance(0.08) ? random.integer(-2, 2) : 0));
  const oddLength = random.chance(0.2)
    ? random.pick(HUGE_LENGTHS)
    : random.pick(ODD_LENGTHS).replaceAll("N", `${length}`);
  const lengthLine = `Content-Length: ${odd.has("length") ? oddLength : length}`;
  const codingName =
    odd.has("coding") && random.chance(0.2) ? random.pick(["Transfer-Encoding ", "TRANSFER-ENCODING"]) : "";
  const coding = odd.has("coding") && random.chance(0.8) ? random.pick(ODD_ENCODINGS) : "chunked";
  const codingLine = `${codingName || "Transfer-Encoding"}: ${coding}`;
  if (odd.has("both")) return random.chance(0.5) ? [lengthLine, codingLine] : [codingLine, lengthLine];
  const line = isChunked ? codingLine : lengthLine;
  return odd.has("twice") ? [line, random.pick([line, lengthLine, codingLine, "Content-Length: 3"])] : [line];
}

/** A chunked body, perhaps in several chunks. */
function chunks(random: Random, body: string, odd: ReadonlySet<Oddity>): string[] {
  const half = random.chance(0.4) ? Math.ceil(body.length / 2) : body.length;
  const parts = [body.slice(0, half), body.slice(half)].filter((part) => part !== "");
  const oddity = odd.has("chunk") ? random.integer(0, 6) : -1;
  const written = parts.map((part) => {
    const size = oddity === 6 ? part.length.toString(16).toUpperCase().padStart(3, "0") : part.length.toString(16);
    const sizeText =
      oddity === 0 ? random.pick(ODD_SIZES).replaceAll("N", size) : oddity === 1 ? random.pick(HUGE_SIZES) : size;
    const extension = odd.has("extension") ? random.pick(EXTENSIONS) : "";
    const end = oddity === 2 ? random.pick(ENDS) : "\r\n";
    const after = oddity === 3 ? random.pick(["", "\n", "x\r\n", "\r", "\r\n\r\n", "\r\r\n"]) : "\r\n";
    return [`${sizeText}${extension}${end}`, `${part}${after}`];
  });
  const trailer =
    oddity === 4
      ? random.pick(["X-A: b\r\n", "Host: x\r\n", "bad\r\n", ": x\r\n", "X: a\0\r\n", " f\r\n", "\r", "x"])
      : "";
  const last =
    oddity === 5 ? random.pick(["00", "0;x=y", "0 ", "", "-0", "0x0", "0".repeat(21), "0\t", "0\n", "0\r"]) : "0";
  return [...written.flat(), `${last}\r\n`, `${trailer}\r\n`];
}

/** Changes a few bytes of some pieces. */
function mutate(random: Random, pieces: string[]): void {
  for (let left = random.integer(1, 3); left > 0; left--) {
    const which = random.integer(0, pieces.length - 1);
    const piece = pieces[which] as string;
    const at = random.integer(0, Math.max(0, piece.length - 1));
    const taken = random.pick([0, 1, 1, 1, 2]);
    const put = random.pick(["", "", ...Array(6).fill(random.pick(BYTES)), piece.slice(0, at)]);
    pieces[which] = piece.slice(0, at) + put + piece.slice(at + taken);
  }
}
