/**
 * What a ClientHello says in the clear: the name of the server, protocols and the highest version (RFC 8446 section 4.1.2, RFC 6066
 * section 3, RFC 7301). Takes and refuses what nginx does, down to what it does not look at; counterpart:
 * ngx_stream_ssl_preread_module.c.
 */
import { type Bytes, concatBytes, latin1 } from "../../base/bytes.ts";

export interface ClientHello {
  /** As the record says it; 3, 4 when the hello lists versions (TLS 1.3). */
  readonly major: number;
  readonly minor: number;
  /** The first DNS name of SNI; "" without. */
  readonly serverName: string;
  /** Names of ALPN with commas between them; "" without. */
  readonly alpn: string;
}

export type ClientHelloResult =
  | { readonly kind: "hello"; readonly hello: ClientHello }
  /** What there is may be the beginning of one. */
  | { readonly kind: "incomplete" }
  /** It is none, or a broken one. */
  | { readonly kind: "foreign" };

const INCOMPLETE: ClientHelloResult = { kind: "incomplete" };
const FOREIGN: ClientHelloResult = { kind: "foreign" };

const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const RANDOM_BYTES = 32;
const SERVER_NAME = 0;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;

/** Reads the records at the start of `bytes`. */
export function decodeClientHello(bytes: Bytes): ClientHelloResult {
  const parts: Bytes[] = [];
  let at = 0;
  while (bytes.length - at >= RECORD_HEADER) {
    const [type = 0, major = 0, minor = 0, high = 0, low = 0] = bytes.subarray(at, at + RECORD_HEADER);
    // SSL 2: a length, a ClientHello, its version.
    if ((type & 0x80) !== 0 && minor === CLIENT_HELLO && (high === 0 || high === 3))
      return { kind: "hello", hello: { major: high, minor: low, serverName: "", alpn: "" } };
    if (type !== HANDSHAKE || major !== 3) return FOREIGN;
    const end = at + RECORD_HEADER + (high << 8) + low;
    // A record is looked at when all of it is there.
    if (end > bytes.length) return INCOMPLETE;
    parts.push(bytes.subarray(at + RECORD_HEADER, end));
    const result = new Reader(parts.length === 1 ? (parts[0] as Bytes) : concatBytes(parts)).read();
    if (result !== INCOMPLETE) return result;
    at = end;
  }
  return INCOMPLETE;
}

/** Ends reading early: the bytes are at an end, or don't fit into each other. */
const MORE = -1;
const BROKEN = -2;

/** A handshake message, or as much of it as has come. Each step returns a number of its own, MORE or BROKEN. */
class Reader {
  private readonly bytes: Bytes;
  private at = 0;
  /** Bytes of the message from `at` on, as its length says. */
  private left = 0;
  private major = 0;
  private minor = 0;
  private serverName: string | undefined = undefined;
  private alpn: string | undefined = undefined;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  read(): ClientHelloResult {
    const end = this.message();
    if (end === MORE) return INCOMPLETE;
    if (end === BROKEN) return FOREIGN;
    const { major, minor, serverName = "", alpn = "" } = this;
    return { kind: "hello", hello: { major, minor, serverName, alpn } };
  }

  private message(): number {
    this.left = 4;
    const type = this.number(1);
    const length = type < 0 ? type : this.number(3);
    if (length < 0) return length;
    if (type !== CLIENT_HELLO) return BROKEN;
    this.left = length;
    const version = this.number(2);
    if (version < 0) return version;
    this.major = version >> 8;
    this.minor = version & 0xff;
    let size = this.skip(RANDOM_BYTES);
    // Session id, cipher suites, compression methods.
    for (const lengthBytes of [1, 2, 1]) {
      if (size >= 0) size = this.number(lengthBytes);
      if (size >= 0) size = this.skip(size);
    }
    if (size < 0 || this.left === 0) return size;
    size = this.number(2);
    while (size >= 0 && this.left > 0) size = this.extension();
    return size;
  }

  private extension(): number {
    const type = this.number(2);
    const size = type < 0 ? type : this.number(2);
    if (size < 0) return size;
    if (type === SERVER_NAME && this.serverName === undefined) return this.nameList();
    if (type === ALPN && this.alpn === undefined) return this.protocolList();
    if (type !== SUPPORTED_VERSIONS) return this.skip(size);
    const listBytes = this.number(1);
    if (listBytes < 0) return listBytes;
    this.major = 3;
    this.minor = 4;
    return this.skip(listBytes);
  }

  private nameList(): number {
    const listBytes = this.number(2);
    const kind = listBytes < 0 ? listBytes : this.number(1);
    if (kind < 0) return kind;
    if (kind !== 0) return BROKEN;
    const size = this.number(2);
    if (size < 0) return size;
    const rest = listBytes - 3 - size;
    if (rest < 0) return BROKEN;
    const start = this.at;
    const taken = this.skip(size);
    if (taken < 0) return taken;
    this.serverName = latin1(this.bytes.subarray(start, this.at));
    return this.skip(rest);
  }

  private protocolList(): number {
    let listBytes = this.number(2);
    if (listBytes < 0) return listBytes;
    const names: string[] = [];
    do {
      const size = this.number(1);
      if (size < 0) return size;
      if (size === 0 || listBytes < 1 + size) return BROKEN;
      const start = this.at;
      const taken = this.skip(size);
      if (taken < 0) return taken;
      names.push(latin1(this.bytes.subarray(start, this.at)));
      listBytes -= 1 + size;
    } while (listBytes > 0);
    this.alpn = names.join(",");
    return 0;
  }

  /** So many bytes further. */
  private skip(sizeBytes: number): number {
    if (this.left < sizeBytes) return BROKEN;
    if (this.bytes.length - this.at < sizeBytes) return MORE;
    this.at += sizeBytes;
    this.left -= sizeBytes;
    return 0;
  }

  /** A number of so many bytes, the high one first. */
  private number(sizeBytes: number): number {
    const start = this.at;
    const taken = this.skip(sizeBytes);
    if (taken < 0) return taken;
    let value = 0;
    for (let i = start; i < this.at; i++) value = value * 256 + (this.bytes[i] as number);
    return value;
  }
}
