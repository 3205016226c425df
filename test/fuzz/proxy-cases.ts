/** What a fuzzed client and a fuzzed back end say: mostly well-formed HTTP/1, with the mutations that smuggle and split. A seed decides. */
import { Random } from "../sim/random.ts";
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

/** What the back end answers to one request; `isLast`: and closes. */
export interface Answer {
  readonly bytes: string;
  readonly isLast: boolean;
}

/** One conversation. */
export interface ProxyCase {
  readonly seed: number;
  /** Which of the configurations. */
  readonly lane: number;
  /** What the client sends, in pieces that make sense when one of them is left out. */
  readonly client: readonly string[];
  /** Where the client pauses, as parts of the whole. */
  readonly pauses: readonly number[];
  /** To the first requests; all others get a usual answer. */
  readonly answers: readonly Answer[];
}

/** Ends every conversation: an answer to it tells that client and server agree about where the requests before it ended. */
export const LAST_REQUEST = "GET /last HTTP/1.1\r\nHost: fuzz\r\nConnection: close\r\n\r\n";

/** A conversation from a seed. */
export function makeCase(seed: number, lanes: number): ProxyCase {
  const random = new Random(seed);
  const lane = random.integer(0, lanes - 1);
  // Either side is odd, seldom both: what one breaks hides what the other would.
  const oddClient = random.chance(0.6);
  const oddBackEnd = !oddClient || random.chance(0.1);
  const count = random.integer(1, 2);
  const client = Array.from({ length: count }, () => request(random, oddClient ? random.integer(1, 2) : 0)).flat();
  const pauses = random.chance(0.2) ? [random.unit(), random.unit()].sort((a, b) => a - b) : [];
  const answers = oddBackEnd ? Array.from({ length: random.integer(1, 2) }, () => answer(random)) : [];
  return { seed, lane, client, pauses, answers };
}

type Mutation =
  | "method"
  | "target"
  | "version"
  | "line"
  | "length"
  | "coding"
  | "both"
  | "twice"
  | "chunk"
  | "end"
  | "fold"
  | "host";
const MUTATIONS: readonly Mutation[] = [
  "method",
  "target",
  "version",
  "line",
  "line",
  "line",
  "length",
  "coding",
  "both",
  "twice",
  "chunk",
  "chunk",
  "end",
  "fold",
  "host",
];

/** A request in pieces: its first line, each header line, the empty line, the body. */
function request(random: Random, oddities: number): string[] {
  const odd = new Set(Array.from({ length: oddities }, () => random.pick(MUTATIONS)));
  const method = odd.has("method") ? random.pick(ODD_METHODS) : random.pick(METHODS);
  const target = odd.has("target") ? random.pick(ODD_TARGETS) : random.pick(TARGETS);
  const version = odd.has("version") ? random.pick(ODD_VERSIONS) : "HTTP/1.1";
  const end = odd.has("end") ? random.pick(["\n", "\r\r\n", "\r", "\n\r", "\r\n\r"]) : "\r\n";
  const oneEnd = random.integer(0, 3);
  const ends = (index: number): string => (odd.has("end") && index === oneEnd ? end : "\r\n");
  const body = random.pick(BODIES);
  const asks = ["coding", "both", "twice", "chunk", "length"].some((mutation) => odd.has(mutation as Mutation));
  const hasBody = asks || ["POST", "PUT", "PATCH"].includes(method) || random.chance(0.1);
  const isChunked = odd.has("chunk") || odd.has("both") || odd.has("coding") || (hasBody && random.chance(0.4));
  const lines: string[] = [];
  if (!odd.has("host")) lines.push("Host: fuzz");
  else if (random.chance(0.5)) lines.push("Host: fuzz", random.pick(["Host: fuzz", "Host: other", "host: fuzz"]));
  if (odd.has("line")) lines.push(random.pick(ODD_LINES));
  if (hasBody) lines.push(...framing(random, body, odd, isChunked));
  if (odd.has("fold")) lines.push(`X-A: b\r\n${random.pick([" ", "\t"])}folded`);
  if (random.chance(0.2)) lines.reverse();
  const first = version === "" ? `${method} ${target}` : `${method} ${target} ${version}`;
  return [
    `${first}${ends(0)}`,
    ...lines.map((line, i) => `${line}${ends(i + 1)}`),
    ends(3),
    ...(hasBody ? (isChunked ? chunks(random, body, odd.has("chunk")) : [body]) : []),
  ];
}

function framing(random: Random, body: string, odd: ReadonlySet<Mutation>, isChunked: boolean): string[] {
  const length = body.length + (random.chance(0.1) ? random.integer(-2, 2) : 0);
  const coding = odd.has("coding") ? random.pick(ODD_ENCODINGS) : "chunked";
  const codingName =
    odd.has("coding") && random.chance(0.3)
      ? random.pick(["Transfer-Encoding ", "Transfer-encoding", "TRANSFER-ENCODING", "Transfer-Encoding\t"])
      : "Transfer-Encoding";
  const lengthText = odd.has("length")
    ? random.chance(0.2)
      ? random.pick(HUGE_LENGTHS)
      : random.pick(ODD_LENGTHS).replaceAll("N", String(length))
    : String(length);
  const lengthLine = `Content-Length: ${lengthText}`;
  const codingLine = `${codingName}: ${coding}`;
  if (odd.has("both")) return random.chance(0.5) ? [lengthLine, codingLine] : [codingLine, lengthLine];
  const line = isChunked ? codingLine : lengthLine;
  if (!odd.has("twice")) return [line];
  return [line, isChunked ? codingLine : `Content-Length: ${random.chance(0.5) ? length : length + 1}`];
}

function chunks(random: Random, body: string, isOdd: boolean): string[] {
  const size = body.length.toString(16);
  const oddity = isOdd ? random.integer(0, 5) : -1;
  const sizeText =
    oddity === 0 ? random.pick(ODD_SIZES).replaceAll("N", size) : oddity === 1 ? random.pick(HUGE_SIZES) : size;
  const end = oddity === 2 ? random.pick(["\n", "\r", "", "\r\r\n", " \r\n"]) : "\r\n";
  const afterData = oddity === 3 ? random.pick(["", "\n", "x\r\n", "\r", "\r\n\r\n"]) : "\r\n";
  const trailer =
    oddity === 4
      ? random.pick(["X-Late: x\r\n", "Content-Length: 3\r\n", "bad\r\n", ": x\r\n", "X: a\0\r\n", " fold\r\n"])
      : "";
  const lastSize = oddity === 5 ? random.pick(["00", "0;x=y", "0 ", "", "-0", "0x0", "000000000000000000000"]) : "0";
  const data = body === "" ? [] : [`${sizeText}${end}`, `${body}${afterData}`];
  return [...data, `${lastSize}\r\n`, `${trailer}\r\n`];
}

const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200 OK",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 200",
  "HTTP/1.1 200 ",
  "HTTP/1.1  200 OK",
  "HTTP/1.1 20 OK",
  "HTTP/1.1 2000 OK",
  "HTTP/1.1 200OK",
  "HTTP/1.1 099 x",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 100 Continue",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 304 Not Modified",
  "HTTP/1.1 404 Not Found",
  "HTTP/1.1 500 Oops",
  "HTTP/1.1 600 ?",
  "HTTP/1.1 999 ?",
  "HTTP/2.0 200 OK",
  "HTTP/1.2 200 OK",
  "HTTP/11 200 OK",
  "http/1.1 200 OK",
  "ICY 200 OK",
  "HTTP/1.1 200 a\rb",
  "HTTP/1.1 200 a\0b",
  "HTTP/1.1 200 \xe9",
  "HTTP/1.1\t200 OK",
  "",
];
const ANSWER_LINES = [
  "X-A: b",
  "X-Split: a\r\nSet-Cookie: evil=1",
  "X-Cr: a\rSet-Cookie: evil=1",
  "X-Lf: a\nSet-Cookie: evil=1",
  "X-Nul: a\0b",
  "X\0Nul: a",
  "X-Fold: a\r\n b",
  " X-Lead: a",
  "X Space: a",
  "X-Space : a",
  "no colon",
  ": no name",
  "X_Under: a",
  "X-High: \xe9",
  "X-Ctl: \x01",
  "X(y): z",
  "X-Empty:",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Content-Length",
  "Keep-Alive: timeout=5",
  "Upgrade: websocket",
  "Trailer: X-Late",
  "Date: a\r\nDate: b",
  "Server: evil",
  "Location: /x",
  "Location: /a\r\nLocation: /b",
  "Content-Type: a/b\r\nContent-Type: c/d",
  'ETag: "x"\r\nETag: "y"',
  "Last-Modified: never",
  "Set-Cookie: a=b",
  "X-Accel-Buffering: no",
  "X-Accel-Limit-Rate: x",
  "X-Accel-Charset: utf-8",
  "WWW-Authenticate: a",
  "Content-Encoding: gzip",
  "Accept-Ranges: bytes",
  "Expires: 0",
  "Cache-Control: private",
  "Vary: *",
];

/** An answer of a back end that may lie about anything. */
function answer(random: Random): Answer {
  const body = random.pick([
    "",
    "x",
    "hello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!",
    "0\r\n\r\n",
    "y".repeat(5000),
  ]);
  const status = random.chance(0.4) ? random.pick(STATUS_LINES) : "HTTP/1.1 200 OK";
  const lines = [...(random.chance(0.5) ? [random.pick(ANSWER_LINES)] : [])];
  const size = body.length.toString(16);
  const kind = random.integer(0, 8);
  let payload = body;
  let isLast = random.chance(0.2);
  const length = (value: number | string): string => `Content-Length: ${value}`;
  if (kind <= 2) lines.push(length(body.length));
  else if (kind === 3) {
    // Truncated or over-long.
    const more = random.pick([-3, -1, 1, 3, 1000]);
    lines.push(length(Math.max(0, body.length + more)));
    isLast = random.chance(0.7);
  } else if (kind === 4)
    lines.push(
      length(
        random.chance(0.2) ? random.pick(HUGE_LENGTHS) : random.pick(ODD_LENGTHS).replaceAll("N", String(body.length)),
      ),
    );
  else if (kind === 5) {
    lines.push(
      length(body.length),
      random.pick([length(body.length), length(body.length + 1), "Transfer-Encoding: chunked"]),
    );
    if (random.chance(0.3)) lines.reverse();
  } else if (kind === 6) {
    lines.push(`Transfer-Encoding: ${random.chance(0.5) ? "chunked" : random.pick(ODD_ENCODINGS)}`);
    payload = chunks(random, body, random.chance(0.7)).join("");
    if (random.chance(0.2)) payload = payload.slice(0, random.integer(0, payload.length));
  } else if (kind === 7) {
    lines.push("Transfer-Encoding: chunked");
    payload = `${size}\r\n${body}\r\n0\r\n\r\n${random.pick(["x", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!", "\r\n"])}`;
  } else isLast = true;
  if (random.chance(0.2)) lines.reverse();
  const end = random.chance(0.1) ? random.pick(["\n", "\r\r\n", "\r"]) : "\r\n";
  const early = random.chance(0.1)
    ? random.pick(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "\r\n", " "])
    : "";
  const head = [status, ...lines].map((line) => `${line}${end}`).join("");
  return { bytes: `${early}${head}${random.chance(0.05) ? "" : "\r\n"}${payload}`, isLast };
}
