/**
 * The messages of grpc.health.v1.Health/Check, and the five bytes in front of a gRPC message (PROTOCOL-HTTP2.md of gRPC):
 * `HealthCheckRequest { string service = 1; }`, `HealthCheckResponse { ServingStatus status = 1; }` in protocol buffers.
 */
import { type Bytes, fromUtf8 } from "../../base/bytes.ts";
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";

/** Where a check goes to. */
export const HEALTH_CHECK_PATH = "/grpc.health.v1.Health/Check";

/** Whether the message is compressed, and its length. */
export const MESSAGE_PREFIX_BYTES = 5;
/** No answer to a check has a reason to be longer. */
export const MAX_RESPONSE_BYTES = 4096;

// ServingStatus.
export const SERVING = 1;
const STATUS_NAMES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** The name of a ServingStatus; a number that has none is its own. */
export function servingName(status: number): string {
  return STATUS_NAMES[status] ?? String(status);
}

// Fields: the number in the high bits, how the value is written in the low three.
const SERVICE_FIELD = 0x0a;
const STATUS_FIELD = 0x08;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const MAX_VARINT_BYTES = 10;

/** A request about a service, "" for the whole server, with its prefix. */
export function encodeHealthRequest(service: string): Bytes {
  const name = fromUtf8(service);
  const field = name.length === 0 ? [] : [SERVICE_FIELD, ...varint(name.length)];
  const size = field.length + name.length;
  const message = new Uint8Array(MESSAGE_PREFIX_BYTES + size);
  new DataView(message.buffer).setUint32(1, size);
  message.set(field, MESSAGE_PREFIX_BYTES);
  message.set(name, MESSAGE_PREFIX_BYTES + field.length);
  return message;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

/** The ServingStatus of an answer: all that came of DATA, which must be one message. */
export function decodeHealthResponse(data: Bytes): Decoded<number> {
  if (data.length < MESSAGE_PREFIX_BYTES) return malformed("no message");
  if (data[0] !== 0) return malformed("a compressed message");
  const size = new DataView(data.buffer, data.byteOffset).getUint32(1);
  if (size !== data.length - MESSAGE_PREFIX_BYTES) return malformed("a message of another length");
  return decodeStatus(data.subarray(MESSAGE_PREFIX_BYTES));
}

/** Fields that are not known are skipped; the last status holds, and without any it is UNKNOWN. */
function decodeStatus(message: Bytes): Decoded<number> {
  const reader = new Reader(message);
  let status = 0;
  while (reader.at < message.length) {
    const key = reader.varint();
    const kind = key & 7;
    if (key < 8) return malformed("a malformed field");
    if (kind === VARINT) {
      const value = reader.varint();
      if (value < 0) return malformed("a malformed number");
      if (key === STATUS_FIELD) status = value;
    } else if (!reader.skip(kind)) return malformed("a field that ends too early");
  }
  return decoded(status);
}

class Reader {
  at = 0;
  private readonly bytes: Bytes;

  constructor(bytes: Bytes) {
    this.bytes = bytes;
  }

  /** The low 31 bits of a number; -1 when it is malformed. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES && this.at < this.bytes.length; i++) {
      const byte = this.bytes[this.at++] as number;
      if (i < MAX_VARINT_BYTES / 2) value += (byte & 127) * 128 ** i;
      if (byte < 128) return value % 2 ** 31;
    }
    return -1;
  }

  skip(kind: number): boolean {
    const size = kind === BYTES ? this.varint() : kind === FIXED64 ? 8 : kind === FIXED32 ? 4 : -1;
    if (size < 0 || size > this.bytes.length - this.at) return false;
    this.at += size;
    return true;
  }
}
