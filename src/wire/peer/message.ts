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
import { type Bytes, concatBytes, equalBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import type { IpAddress } from "../../base/ip.ts";

const MAGIC = fromUtf8("TNDM");
const VERSION = 1;
const HEADER_BYTES = 48;
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
const ROUTER_BYTES = 9;

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
  const { code, body } = encodeBody(message);
  const head = new Uint8Array(HEADER_BYTES);
  const view = viewOf(head);
  head.set(MAGIC);
  head[4] = VERSION;
  head[5] = code;
  view.setUint16(6, body.length);
  head.set(envelope.session, 8);
  view.setUint32(16, Math.floor(envelope.sequence / 2 ** 32));
  view.setUint32(20, envelope.sequence >>> 0);
  head.set(envelope.to, 24);
  head.set(envelope.challenge, 32);
  head.set(envelope.echo, 40);
  const covered = concatBytes([head, body]);
  const sealed = concatBytes([covered, seal(covered)]);
  assert(sealed.length <= MAX_PEER_BYTES, "a message of the peer channel fits a datagram");
  return sealed;
}

function encodeBody(message: PeerMessage): { readonly code: number; readonly body: Bytes } {
  switch (message.kind) {
    case "hello":
      return { code: HELLO, body: encodeHello(message) };
    case "order":
      return { code: STEPS[message.step], body: encodeOrder(message) };
    case "ask":
      return {
        code: message.what === "flight" ? ASK : ASK_CONFIGURATION,
        body: encodePartNumbers(message.id, message.part),
      };
    case "part":
      return {
        code: PART,
        body: concatBytes([encodePartNumbers(message.id, message.part, message.parts), message.bytes]),
      };
  }
}

/** Reads a datagram; the seal is checked before anything inside is looked at. */
export function decodePeer(
  datagram: Bytes,
  seal: Seal,
): Decoded<{ readonly envelope: Envelope; readonly message: PeerMessage }> {
  if (datagram.length < HEADER_BYTES + SEAL_BYTES || datagram.length > MAX_PEER_BYTES) return malformed("wrong size");
  if (!equalBytes(datagram.subarray(0, 4), MAGIC)) return malformed("not of the peer channel");
  if (datagram[4] !== VERSION) return malformed(`unknown version ${datagram[4]}`);
  const view = viewOf(datagram);
  const end = datagram.length - SEAL_BYTES;
  if (view.getUint16(6) !== end - HEADER_BYTES) return malformed("wrong length");
  if (!isSame(seal(datagram.subarray(0, end)), datagram.subarray(end))) return malformed("another key, or forged");
  const sequence = view.getUint32(16) * 2 ** 32 + view.getUint32(20);
  if (!Number.isSafeInteger(sequence)) return malformed("sequence out of range");
  const nonce = (at: number): Bytes => datagram.slice(at, at + NONCE_BYTES);
  const envelope = { session: nonce(8), sequence, to: nonce(24), challenge: nonce(32), echo: nonce(40) };
  const reader = new Reader(datagram.subarray(HEADER_BYTES, end));
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

/** A text behind its length; cut where a character begins. */
function encodeText(text: string): Bytes {
  let bytes = fromUtf8(text);
  for (let end = text.length; bytes.length > MAX_TEXT_BYTES; ) bytes = fromUtf8(text.slice(0, --end));
  return concatBytes([Uint8Array.of(bytes.length), bytes]);
}

function encodeHello(hello: Hello): Bytes {
  const flags = (hello.detours4 ? 1 : 0) | (hello.detours6 ? 2 : 0) | (hello.isDrained ? 4 : 0);
  const addresses = hello.addresses.slice(0, MAX_HELLO_ADDRESSES);
  const routers = hello.routers.slice(0, MAX_HELLO_ROUTERS);
  return concatBytes([
    Uint8Array.of(flags),
    encodeText(hello.name),
    encodeText(hello.version),
    Uint8Array.of(addresses.length),
    ...addresses.flatMap((address) => [Uint8Array.of(address.length), address]),
    Uint8Array.of(routers.length),
    ...routers.map(({ vrid, family, role, priority, keeps, left }) => {
      const bytes = new Uint8Array(ROUTER_BYTES);
      bytes.set([vrid, family, ROLES.indexOf(role), priority, keeps ? 1 : 0]);
      viewOf(bytes).setUint32(5, left);
      return bytes;
    }),
    encodeTime(hello.time),
  ]);
}

/** Doubles: instants with fractions fit them, to a quarter of a microsecond. */
function encodeTime({ sentMs, echoMs, heldMs }: HelloTime): Bytes {
  const bytes = new Uint8Array(24);
  const view = viewOf(bytes);
  view.setFloat64(0, sentMs);
  view.setFloat64(8, echoMs);
  view.setFloat64(16, heldMs);
  return bytes;
}

function encodePartNumbers(id: number, ...numbers: readonly number[]): Bytes {
  const bytes = new Uint8Array(4 + 2 * numbers.length);
  const view = viewOf(bytes);
  view.setUint32(0, id);
  for (const [i, number] of numbers.entries()) view.setUint16(4 + 2 * i, number);
  return bytes;
}

function encodeOrder({ id, vrid, family, value, reason }: Order): Bytes {
  const fixed = new Uint8Array(10);
  const view = viewOf(fixed);
  view.setUint32(0, id);
  fixed[4] = vrid;
  fixed[5] = family;
  view.setUint32(6, value);
  return concatBytes([fixed, encodeText(reason)]);
}

/** Takes values from the front; undefined once it has run out, and from then on. */
class Reader {
  readonly #bytes: Bytes;
  #at = 0;
  #isShort = false;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** Everything was there, and nothing is left. */
  get isDone(): boolean {
    return !this.#isShort && this.#at === this.#bytes.length;
  }

  bytes(length: number): Bytes {
    const end = this.#at + length;
    if (end > this.#bytes.length) this.#isShort = true;
    const taken = this.#bytes.slice(this.#at, end);
    this.#at = Math.min(end, this.#bytes.length);
    return this.#isShort ? new Uint8Array(length) : taken;
  }

  u8(): number {
    return this.bytes(1)[0] as number;
  }

  u16(): number {
    return viewOf(this.bytes(2)).getUint16(0);
  }

  f64(): number {
    return viewOf(this.bytes(8)).getFloat64(0);
  }

  rest(): Bytes {
    return this.bytes(this.#bytes.length - this.#at);
  }

  u32(): number {
    return viewOf(this.bytes(4)).getUint32(0);
  }

  text(): string {
    return utf8(this.bytes(this.u8()));
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
  if (!Object.values(time).every(Number.isFinite)) return undefined;
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
