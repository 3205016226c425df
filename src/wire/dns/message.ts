/**
 * DNS messages as a stub resolver sees them: one question out, its answers in (RFC 1035, 4; RFC 2782 for SRV).
 * What is malformed is told in the sentences that nginx logs. Counterpart: ngx_resolver_process_response.
 */
import type { Bytes } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { decodeName, encodeName } from "./name.ts";

/** Record types (RFC 1035, 3.2.2; RFC 3596; RFC 2782; RFC 6672). */
export const A = 1;
export const CNAME = 5;
export const PTR = 12;
export const AAAA = 28;
export const SRV = 33;
const DNAME = 39;

/** Response codes (RFC 1035, 4.1.1). */
export const FORMAT_ERROR = 1;
export const SERVER_FAILURE = 2;
export const NAME_ERROR = 3;
export const REFUSED = 5;

const CLASS_IN = 1;
const HEADER = 12;
/** Type, class, TTL and length of a record, behind its name. */
const RECORD = 10;

export type DnsRecord =
  | { readonly type: typeof A | typeof AAAA; readonly ttlS: number; readonly address: IpAddress }
  | { readonly type: typeof CNAME | typeof PTR; readonly ttlS: number; readonly target: string }
  | {
      readonly type: typeof SRV;
      readonly ttlS: number;
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    };

export interface DnsAnswer {
  readonly id: number;
  readonly code: number;
  /** It did not fit into a datagram: ask again over TCP. No records then. */
  readonly truncated: boolean;
  /** What was asked; undefined when the code says that the server did not even understand that. */
  readonly question: { readonly name: string; readonly type: number } | undefined;
  readonly records: readonly DnsRecord[];
  /** Types of records that were skipped because nobody asks for such. */
  readonly unexpectedTypes: readonly number[];
}

/** A question with recursion desired; undefined when `name` can't be the name of anything. */
export function encodeQuery(id: number, name: string, type: number): Bytes | undefined {
  const labels = encodeName(name);
  if (labels === undefined) return undefined;
  const query = new Uint8Array(HEADER + labels.length + 4);
  const view = new DataView(query.buffer);
  view.setUint16(0, id);
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  query.set(labels, HEADER);
  view.setUint16(HEADER + labels.length, type);
  view.setUint16(HEADER + labels.length + 2, CLASS_IN);
  return query;
}

/** Reads an answer. `tcp`: over TCP nothing is truncated. */
export function decodeAnswer(bytes: Bytes, tcp: boolean): Decoded<DnsAnswer> {
  if (bytes.length < HEADER) return malformed("short DNS response");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = view.getUint16(0);
  const flags = view.getUint16(2);
  const truncated = (flags & 0x0200) !== 0;
  // A response (QR) to a standard query, with the reserved bits zero.
  if ((flags & 0xf870) !== 0x8000 || (truncated && tcp)) {
    const hex = flags.toString(16).toUpperCase().padStart(4, "0");
    return malformed(`invalid ${tcp ? "TCP" : "UDP"} DNS response ${id} fl:${hex}`);
  }
  const code = flags & 0xf;
  const bare = { id, code, truncated, question: undefined, records: [], unexpectedTypes: [] };
  if (code === FORMAT_ERROR || code > REFUSED) return decoded(bare);
  if (view.getUint16(4) !== 1) return malformed("invalid number of questions in DNS response");
  const afterName = skipQuestion(bytes);
  if (typeof afterName === "string") return malformed(afterName);
  const answers = view.getUint16(6);
  if (afterName + 4 + answers * (2 + RECORD) > bytes.length) return malformed("short DNS response");
  const type = view.getUint16(afterName);
  const questionClass = view.getUint16(afterName + 2);
  if (questionClass !== CLASS_IN) return malformed(`unknown query class ${questionClass} in DNS response`);
  if (type !== A && type !== AAAA && type !== SRV && type !== PTR) {
    return malformed(`unknown query type ${type} in DNS response`);
  }
  const name = decodeName(bytes, HEADER);
  if (!name.ok) return name;
  const answer = { ...bare, question: { name: name.value, type } };
  if (truncated || code !== 0) return decoded(answer);
  const records: DnsRecord[] = [];
  const unexpectedTypes: number[] = [];
  const reason = readRecords(bytes, view, afterName + 4, answers, type, records, unexpectedTypes);
  return reason === undefined ? decoded({ ...answer, records, unexpectedTypes }) : malformed(reason);
}

/** Offset behind the name of the question, or why there is none. */
function skipQuestion(bytes: Bytes): number | string {
  let at = HEADER;
  for (; at < bytes.length; at += 1 + (bytes[at] as number)) {
    const size = bytes[at] as number;
    if ((size & 0xc0) !== 0) return "unexpected compression pointer in DNS response";
    if (size === 0) return at === HEADER ? "zero-length domain name in DNS response" : at + 1;
  }
  return "short DNS response";
}

/** Offset behind a record's name, or why there is none. */
function skipName(bytes: Bytes, start: number): number | string {
  for (let at = start; at < bytes.length; at += 1 + (bytes[at] as number)) {
    const size = bytes[at] as number;
    if ((size & 0xc0) !== 0) return at + 2;
    if (size === 0) return at === start ? "invalid name in DNS response" : at + 1;
  }
  return "short DNS response";
}

/** Reads `count` records into the lists; the reason why that can't be done, or undefined. */
function readRecords(
  bytes: Bytes,
  view: DataView,
  at: number,
  count: number,
  asked: number,
  records: DnsRecord[],
  unexpectedTypes: number[],
): string | undefined {
  let aliasReason: string | undefined;
  for (let i = 0; i < count; i++) {
    const start = skipName(bytes, at);
    if (typeof start === "string") return start;
    if (start + RECORD >= bytes.length) return "short DNS response";
    const type = view.getUint16(start);
    const recordClass = view.getUint16(start + 2);
    if (recordClass !== CLASS_IN) return `unexpected RR class ${recordClass} in DNS response`;
    const ttlS = Math.max(0, view.getInt32(start + 4));
    const length = view.getUint16(start + 8);
    at = start + RECORD;
    const record = readRecord(bytes, view, at, length, type, ttlS, asked);
    if (typeof record === "string" && type !== CNAME) return record;
    if (type === CNAME) aliasReason = typeof record === "string" ? record : undefined;
    if (typeof record === "object") records.push(record);
    else if (type !== DNAME && type !== CNAME) unexpectedTypes.push(type);
    at += length;
  }
  // A broken alias does no harm beside what it leads to.
  return records.every((record) => record.type === CNAME) ? aliasReason : undefined;
}

/** One record's data: the record, undefined when nobody asked for its type, or why it is malformed. */
function readRecord(
  bytes: Bytes,
  view: DataView,
  at: number,
  length: number,
  type: number,
  ttlS: number,
  asked: number,
): DnsRecord | string | undefined {
  if (type === A || type === AAAA) {
    if (asked !== A && asked !== AAAA) return undefined;
    const label = type === A ? "A" : "AAAA";
    if (type !== asked) return `unexpected ${label} record in DNS response`;
    const size = type === A ? 4 : 16;
    if (length !== size) return `invalid ${label} record in DNS response`;
    if (at + size > bytes.length) return "short DNS response";
    return { type, ttlS, address: bytes.slice(at, at + size) };
  }
  if (type === CNAME || (type === PTR && asked === PTR)) {
    const target = decodeName(bytes, at);
    return target.ok ? { type, ttlS, target: target.value } : target.reason;
  }
  if (type !== SRV || asked !== SRV) return undefined;
  if (at + 6 >= bytes.length) return "short DNS response";
  const target = decodeName(bytes, at + 6);
  if (!target.ok) return target.reason;
  const priority = view.getUint16(at);
  // RFC 2782 wants weight 0 to have a very small chance; nginx gives it the chance of weight 1.
  const weight = Math.max(1, view.getUint16(at + 2));
  return { type, ttlS, priority, weight, port: view.getUint16(at + 4), target: target.value };
}
