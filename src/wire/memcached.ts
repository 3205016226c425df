/** The text protocol of memcached, as far as one `get` of one key goes. nginx: ngx_http_memcached_process_header, ngx_http_memcached_filter. */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";

/** What the first line of an answer says. Numbers that are none are undefined. */
export type GetLine =
  | { readonly kind: "value"; readonly flags: number | undefined; readonly lengthBytes: number | undefined }
  | { readonly kind: "missing" }
  | { readonly kind: "other key" }
  | { readonly kind: "invalid" };

const VALUE = "VALUE ";
const DECIMAL = /^\d{1,15}$/;

function decimal(text: string): number | undefined {
  return DECIMAL.test(text) ? Number(text) : undefined;
}

/** Reads such a line, without the end of line, of an answer for this key. */
export function readGetLine(line: string, key: string): GetLine {
  if (line === "END") return { kind: "missing" };
  if (!line.startsWith(VALUE)) return { kind: "invalid" };
  if (!line.startsWith(key, VALUE.length)) return { kind: "other key" };
  const match = /^ ([^ ]*) (.*)$/s.exec(line.slice(VALUE.length + key.length));
  if (match === null) return { kind: "invalid" };
  const [, flags = "", length = ""] = match;
  return { kind: "value", flags: decimal(flags), lengthBytes: decimal(length) };
}

const TRAILER: Bytes = fromLatin1("\r\nEND\r\n");

export const VALUE_MORE = 0;
/** Data lie at `[dataStart, position)`. */
export const VALUE_DATA = 1;
export const VALUE_DONE = 2;
/** What follows the data is not what should. */
export const VALUE_BAD_TRAILER = 3;
export type ValueResult = number;

/** Takes a value and what stands behind it, in any pieces. */
export class ValueDecoder {
  position = 0;
  dataStart = 0;
  private left = 0;
  private trailerBytes = 0;

  begin(lengthBytes: number): void {
    this.left = lengthBytes;
    this.trailerBytes = 0;
  }

  next(bytes: Bytes, start: number, end: number): ValueResult {
    if (this.left > 0) {
      const size = Math.min(this.left, end - start);
      this.dataStart = start;
      this.position = start + size;
      this.left -= size;
      return size > 0 ? VALUE_DATA : VALUE_MORE;
    }
    this.position = start;
    while (this.position < end) {
      if (this.trailerBytes === TRAILER.length || bytes[this.position] !== TRAILER[this.trailerBytes])
        return VALUE_BAD_TRAILER;
      this.position++;
      this.trailerBytes++;
    }
    return this.trailerBytes === TRAILER.length ? VALUE_DONE : VALUE_MORE;
  }
}
