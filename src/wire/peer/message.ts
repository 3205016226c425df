/**
 * Messages of the peer channel between two Tandem nodes (docs/peer-channel.md), big-endian, in one datagram each:
 *
 *      0  "TNDM"            4  version 1      5  kind        6  bytes of the body (16 bits)
 *      8  session           random, of the sender's process
 *     16  sequence          counts the messages of a session
 *     24  to                session of the receiver; zeros: whoever hears it
 *     32  challenge         random, of the sender
 *     40  echo              the receiver's challenge; zeros: not known
 *     48  body, then HMAC-SHA-256 over everything before it
 *
 * Who may say what, and when it is believed, is in vrrp/peer-link.ts.
 */
import { assert } from "../../base/assert.ts";
import { type Bytes, equalBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";
import { readU16 } from "../checksum.ts";

const MAGIC = fromUtf8("TNDM");
const VERSION = 1;
const HEADER_BYTES = 48;
/** Where the length of the body is. */
const LENGTH_AT = 6;
const SEAL_BYTES = 32;
/** Bytes of a session and of a challenge. */
export const NONCE_BYTES = 8;
/** No session, no challenge. */
export const NOBODY: Bytes = new Uint8Array(NONCE_BYTES);
/** A datagram is never fragmented on Ethernet. */
export const MAX_PEER_BYTES = 1400;
/** Routers that a hello can speak of; those behind are not told. */
export const MAX_HELLO_ROUTERS = 100;
/** Longest name, version and reason; what is longer is cut. */
export const MAX_TEXT_BYTES = 120;
/** Own addresses that a hello can name. */
const MAX_HELLO_ADDRESSES = 8;

/** HMAC-SHA-256 with the pair's key, 32 bytes. */
export type Seal = (bytes: Bytes) => Bytes;

/** Where a message belongs. */
export interface Envelope {
  readonly session: Bytes;
  readonly sequence: number;
  readonly to: Bytes;
  readonly challenge: Bytes;
  readonly echo: Bytes;
}

export const ROLES = ["init", "backup", "active", "fault"] as const;

/** A router as its node reports it. */
export interface HelloRouter {
  readonly vrid: number;
  readonly family: 4 | 6;
  readonly role: (typeof ROLES)[number];
  readonly priority: number;
  /** It keeps the addresses for connections of before a hand-over, although another node is active. */
  readonly keeps: boolean;
  /** How many those are. */
  readonly left: number;
}

/** The time of day at which a hello was sent, with what the receiver needs to compare clocks: milliseconds since the epoch, with fractions. */
export interface HelloTime {
  readonly sentMs: number;
  /** `sentMs` of the last hello from the receiver; 0: none was heard. */
  readonly echoMs: number;
  /** How long ago that came. */
  readonly heldMs: number;
}

/** What a node says about itself, again and again. */
export interface Hello {
  readonly kind: "hello";
  readonly name: string;
  readonly version: string;
  /** It can send packets of foreign connections on to the node that had the address before. */
  readonly detours4: boolean;
  readonly detours6: boolean;
  /** It wants no address. */
  readonly isDrained: boolean;
  /** Its own addresses on the link. */
  readonly addresses: readonly IpAddress[];
  readonly routers: readonly HelloRouter[];
  readonly time: HelloTime;
}

/** The steps of a hand-over, in the order in which they are taken; the numbers are on the wire. */
const STEPS = { request: 2, offer: 3, ready: 4, refuse: 5, take: 6, taken: 7, done: 8, closed: 9 } as const;
export type OrderStep = keyof typeof STEPS;
const STEP_NAMES = new Map<number, OrderStep>(
  Object.entries(STEPS).map(([name, number]) => [number, name as OrderStep]),
);
const HELLO = 1;
const ASK = 10;
const PART = 11;
const ASK_CONFIGURATION = 12;
/** Bytes of a record that one message carries. */
export const PART_BYTES = 1200;

/** One step of a hand-over. */
export interface Order {
  readonly kind: "order";
  readonly step: OrderStep;
  /** Chosen by the giver; 0 in a request. */
  readonly id: number;
  readonly vrid: number;
  readonly family: 4 | 6;
  /** offer: the drain limit in ms; ready and request: the sender's priority; refuse and done: 0; others unused. */
  readonly value: number;
  /** Why: of a refusal, a request. What is lost all the same: of ready. */
  readonly reason: string;
}

/** For a part of a record of the other node. All parts with the same id are of the same record. */
export interface Ask {
  readonly kind: "ask";
  /** Its flight record, or the files of its configuration. */
  readonly what: "flight" | "configuration";
  readonly id: number;
  /** 0 … 65534. */
  readonly part: number;
}

export interface Part {
  readonly kind: "part";
  readonly id: number;
  readonly part: number;
  /** How many there are; 0: there is no record. */
  readonly parts: number;
  /** At most PART_BYTES. */
  readonly bytes: Bytes;
}

export type PeerMessage = Hello | Order | Ask | Part;

/** A datagram, sealed. */
export function encodePeer(envelope: Envelope, message: PeerMessage, seal: Seal): Bytes {
  const writer = WRITER;
  writer.length = 0;
  writer.bytes(MAGIC);
  writer.u8(VERSION);
  writer.u8(codeOf(message));
  writer.u16(0); // the body's length, when it is known
  writer.bytes(envelope.session);
  writer.u32(Math.floor(envelope.sequence / 2 ** 32));
  writer.u32(envelope.sequence >>> 0);
  writer.bytes(envelope.to);
  writer.bytes(envelope.challenge);
  writer.bytes(envelope.echo);
  writeBody(writer, message);
  writer.setU16(LENGTH_AT, writer.length - HEADER_BYTES);
  writer.bytes(seal(writer.written));
  return writer.take();
}

function codeOf(message: PeerMessage): number {
  switch (message.kind) {
    case "hello":
      return HELLO;
    case "order":
      return STEPS[message.step];
    case "ask":
      return message.what === "flight" ? ASK : ASK_CONFIGURATION;
    case "part":
      return PART;
  }
}

function writeBody(writer: Writer, message: PeerMessage): void {
  switch (message.kind) {
    case "hello":
      writeHello(writer, message);
      break;
    case "order":
      writeOrder(writer, message);
      break;
    case "ask":
      writer.u32(message.id);
      writer.u16(message.part);
      break;
    case "part":
      writer.u32(message.id);
      writer.u16(message.part);
      writer.u16(message.parts);
      writer.bytes(message.bytes);
      break;
  }
}

/** Reads a datagram; the seal is checked before anything inside is looked at. */
export function decodePeer(
  datagram: Bytes,
  seal: Seal,
): Decoded<{ readonly envelope: Envelope; readonly message: PeerMessage }> {
  if (datagram.length < HEADER_BYTES + SEAL_BYTES || datagram.length > MAX_PEER_BYTES) return malformed("wrong size");
  if (!equalBytes(datagram.subarray(0, MAGIC.length), MAGIC)) return malformed("not of the peer channel");
  if (datagram[4] !== VERSION) return malformed(`unknown version ${datagram[4]}`);
  const end = datagram.length - SEAL_BYTES;
  const reader = new Reader(datagram, end);
  if (readU16(datagram, LENGTH_AT) !== end - HEADER_BYTES) return malformed("wrong length");
  if (!isSame(seal(datagram.subarray(0, end)), datagram.subarray(end))) return malformed("another key, or forged");
  reader.skip(LENGTH_AT + 2);
  const session = reader.bytes(NONCE_BYTES);
  const sequence = reader.u32() * 2 ** 32 + reader.u32();
  if (!Number.isSafeInteger(sequence)) return malformed("sequence out of range");
  const to = reader.bytes(NONCE_BYTES);
  const challenge = reader.bytes(NONCE_BYTES);
  const envelope = { session, sequence, to, challenge, echo: reader.bytes(NONCE_BYTES) };
  const kind = datagram[5] as number;
  const message = readBody(reader, kind);
  if (message === undefined || !reader.isDone) return malformed(`malformed body of kind ${kind}`);
  return decoded({ envelope, message });
}

function readBody(reader: Reader, kind: number): PeerMessage | undefined {
  if (kind === HELLO) return readHello(reader);
  if (kind === ASK || kind === ASK_CONFIGURATION)
    return { kind: "ask", what: kind === ASK ? "flight" : "configuration", id: reader.u32(), part: reader.u16() };
  if (kind === PART) {
    const numbers = { id: reader.u32(), part: reader.u16(), parts: reader.u16() };
    const bytes = reader.rest();
    return bytes.length > PART_BYTES ? undefined : { kind: "part", ...numbers, bytes };
  }
  const step = STEP_NAMES.get(kind);
  return step === undefined ? undefined : readOrder(reader, step);
}

/** Takes as long for a wrong seal as for a right one. */
function isSame(a: Bytes, b: Bytes): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] as number);
  return difference === 0;
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeHello(writer: Writer, hello: Hello): void {
  writer.u8((hello.detours4 ? 1 : 0) | (hello.detours6 ? 2 : 0) | (hello.isDrained ? 4 : 0));
  writer.text(hello.name);
  writer.text(hello.version);
  const addresses = Math.min(hello.addresses.length, MAX_HELLO_ADDRESSES);
  writer.u8(addresses);
  for (let i = 0; i < addresses; i++) {
    const address = hello.addresses[i] as IpAddress;
    writer.u8(address.length);
    writer.bytes(address);
  }
  const routers = Math.min(hello.routers.length, MAX_HELLO_ROUTERS);
  writer.u8(routers);
  for (let i = 0; i < routers; i++) {
    const { vrid, family, role, priority, keeps, left } = hello.routers[i] as HelloRouter;
    writer.u8(vrid);
    writer.u8(family);
    writer.u8(ROLES.indexOf(role));
    writer.u8(priority);
    writer.u8(keeps ? 1 : 0);
    writer.u32(left);
  }
  // Doubles: instants with fractions fit them, to a quarter of a microsecond.
  writer.f64(hello.time.sentMs);
  writer.f64(hello.time.echoMs);
  writer.f64(hello.time.heldMs);
}

function writeOrder(writer: Writer, { id, vrid, family, value, reason }: Order): void {
  writer.u32(id);
  writer.u8(vrid);
  writer.u8(family);
  writer.u32(value);
  writer.text(reason);
}

/** Puts values behind each other, up to the size of a datagram. */
class Writer {
  readonly #bytes = new Uint8Array(MAX_PEER_BYTES);
  readonly #view = viewOf(this.#bytes);
  length = 0;

  #take(sizeBytes: number): number {
    const at = this.length;
    this.length += sizeBytes;
    assert(this.length <= MAX_PEER_BYTES, "a message of the peer channel fits a datagram");
    return at;
  }

  /** What is there so far; it is lent. */
  get written(): Bytes {
    return this.#bytes.subarray(0, this.length);
  }

  /** All of it, in memory of its own size. */
  take(): Bytes {
    return this.#bytes.slice(0, this.length);
  }

  bytes(bytes: Bytes): void {
    this.#bytes.set(bytes, this.#take(bytes.length));
  }

  u8(value: number): void {
    this.#bytes[this.#take(1)] = value;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#take(2), value);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#take(4), value);
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#take(8), value);
  }

  /** A text behind its length; cut where a character begins. */
  text(text: string): void {
    let bytes = fromUtf8(text);
    for (let end = text.length; bytes.length > MAX_TEXT_BYTES; ) bytes = fromUtf8(text.slice(0, --end));
    this.u8(bytes.length);
    this.bytes(bytes);
  }
}

/** One message at a time is written, and copied when it is whole: hundreds a second need no memory of a datagram's size each. */
const WRITER = new Writer();

/** Takes values from the front; once it has run out, zeros, and it is never done. */
class Reader {
  readonly #bytes: Bytes;
  readonly #view: DataView;
  readonly #end: number;
  #at = 0;
  #isShort = false;

  /** Reads no further than `end`. */
  constructor(bytes: Bytes, end: number) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#end = end;
  }

  /** Everything was there, and nothing is left. */
  get isDone(): boolean {
    return !this.#isShort && this.#at === this.#end;
  }

  /** Where the next value begins; undefined when there is not so much left. */
  #take(sizeBytes: number): number | undefined {
    const at = this.#at;
    if (this.#isShort || at + sizeBytes > this.#end) {
      this.#isShort = true;
      return undefined;
    }
    this.#at = at + sizeBytes;
    return at;
  }

  skip(sizeBytes: number): void {
    this.#take(sizeBytes);
  }

  bytes(sizeBytes: number): Bytes {
    const at = this.#take(sizeBytes);
    return at === undefined ? new Uint8Array(sizeBytes) : this.#bytes.slice(at, at + sizeBytes);
  }

  u8(): number {
    const at = this.#take(1);
    return at === undefined ? 0 : (this.#bytes[at] as number);
  }

  u16(): number {
    const at = this.#take(2);
    return at === undefined ? 0 : this.#view.getUint16(at);
  }

  u32(): number {
    const at = this.#take(4);
    return at === undefined ? 0 : this.#view.getUint32(at);
  }

  f64(): number {
    const at = this.#take(8);
    return at === undefined ? 0 : this.#view.getFloat64(at);
  }

  rest(): Bytes {
    return this.bytes(this.#end - this.#at);
  }

  text(): string {
    const sizeBytes = this.u8();
    const at = this.#take(sizeBytes);
    return at === undefined ? "" : utf8(this.#bytes, at, at + sizeBytes);
  }
}

function readFamily(reader: Reader): 4 | 6 | undefined {
  const family = reader.u8();
  return family === 4 || family === 6 ? family : undefined;
}

function readHello(reader: Reader): Hello | undefined {
  const flags = reader.u8();
  const name = reader.text();
  const version = reader.text();
  const addresses: IpAddress[] = [];
  for (let count = reader.u8(); count > 0; count--) {
    const length = reader.u8();
    if (length !== 4 && length !== 16) return undefined;
    addresses.push(reader.bytes(length));
  }
  const routers: HelloRouter[] = [];
  for (let count = reader.u8(); count > 0; count--) {
    const vrid = reader.u8();
    const family = readFamily(reader);
    const role = ROLES[reader.u8()];
    const priority = reader.u8();
    const keeps = reader.u8() !== 0;
    const left = reader.u32();
    if (family === undefined || role === undefined) return undefined;
    routers.push({ vrid, family, role, priority, keeps, left });
  }
  const time = { sentMs: reader.f64(), echoMs: reader.f64(), heldMs: reader.f64() };
  if (!Number.isFinite(time.sentMs) || !Number.isFinite(time.echoMs) || !Number.isFinite(time.heldMs)) return undefined;
  if (addresses.length > MAX_HELLO_ADDRESSES || routers.length > MAX_HELLO_ROUTERS) return undefined;
  return {
    kind: "hello",
    name,
    version,
    detours4: (flags & 1) !== 0,
    detours6: (flags & 2) !== 0,
    isDrained: (flags & 4) !== 0,
    addresses,
    routers,
    time,
  };
}

function readOrder(reader: Reader, step: OrderStep): Order | undefined {
  const id = reader.u32();
  const vrid = reader.u8();
  const family = readFamily(reader);
  const value = reader.u32();
  const reason = reader.text();
  return family === undefined ? undefined : { kind: "order", step, id, vrid, family, value, reason };
}
