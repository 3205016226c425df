/**
 * The answer to a check's request, judged as it comes: status, length, MD5, pattern. Nothing of it is kept but what a pattern needs.
 * keepalived: check_http.c and lib/html.c.
 */
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import { Md5 } from "../base/hash-md5.ts";
import type { CheckedUrl } from "../conf/keepalived/lvs/config.ts";
import type { Outcome } from "./checker.ts";
import type { BodyPattern } from "./ports.ts";

/** A head that does not end within this is none. */
export const MAX_HEAD_BYTES = 4095;
/** A body that goes on beyond this has failed. */
export const MAX_BODY_BYTES = 64 << 20;
/** So much of a body is searched for a pattern. */
export const MAX_SEARCHED_BYTES = 1 << 20;

const HEAD_END = [13, 10, 13, 10];

export class HttpAnswer {
  readonly #url: CheckedUrl;
  readonly #pattern: BodyPattern | undefined;
  readonly #digest = new Md5();
  #head: Bytes | undefined = new Uint8Array(0);
  #status = 0;
  #contentLength: number | undefined;
  #received = 0;
  readonly #searched: Bytes[] = [];
  #searchedBytes = 0;

  constructor(url: CheckedUrl, pattern: BodyPattern | undefined) {
    this.#url = url;
    this.#pattern = pattern;
  }

  /** Takes what has come; false: it is enough, the answer has failed. */
  add(bytes: Bytes): boolean {
    if (this.#head === undefined) return this.#body(bytes);
    const head = concatBytes([this.#head, bytes]);
    const end = headEnd(head);
    if (end < 0) {
      this.#head = head;
      return head.length <= MAX_HEAD_BYTES;
    }
    const text = latin1(head, 0, end);
    this.#status = statusOf(text);
    this.#contentLength = contentLengthOf(text);
    this.#head = undefined;
    return this.#body(head.subarray(end));
  }

  #body(bytes: Bytes): boolean {
    const left = (this.#contentLength ?? Number.POSITIVE_INFINITY) - this.#received;
    if (this.#url.digest !== undefined && left > 0) this.#digest.add(bytes.subarray(0, Math.min(left, bytes.length)));
    this.#received += bytes.length;
    if (this.#pattern !== undefined && this.#searchedBytes < MAX_SEARCHED_BYTES) {
      const piece = bytes.slice(0, MAX_SEARCHED_BYTES - this.#searchedBytes);
      this.#searched.push(piece);
      this.#searchedBytes += piece.length;
    }
    return this.#received <= MAX_BODY_BYTES;
  }

  /** By how many bytes the body is shorter (or, below 0, longer) than it was said to be; undefined when nothing was said. */
  get mismatch(): number | undefined {
    return this.#contentLength === undefined ? undefined : this.#contentLength - this.#received;
  }

  /** Announced and received, for the log. */
  get lengths(): { readonly announced: number | undefined; readonly received: number } {
    return { announced: this.#contentLength, received: this.#received };
  }

  /** The server has said everything. */
  end(): Outcome {
    const { statusCodes, digest, regex } = this.#url;
    if (this.#head !== undefined) return { ok: false, why: "Read, no data received from " };
    if (!statusCodes.some(([from, to]) => this.#status >= from && this.#status <= to))
      return { ok: false, why: "HTTP status code error to" };
    let what = "HTTP status code";
    if (digest !== undefined) {
      const found = this.#digest.end();
      if (!digest.every((byte, index) => byte === found[index])) return { ok: false, why: "MD5 digest error to" };
      what = "MD5 digest";
    }
    if (this.#pattern !== undefined && regex !== undefined) {
      if (this.#pattern(concatBytes(this.#searched)) === regex.mustNotMatch)
        return { ok: false, why: "Regex match failed" };
      what = "Regex match";
    }
    return { ok: true, what };
  }
}

function headEnd(bytes: Bytes): number {
  for (let at = 0; at + 3 < bytes.length; at++)
    if (HEAD_END.every((byte, index) => bytes[at + index] === byte)) return at + 4;
  return -1;
}

/** Three digits between two blanks, behind the version; 0 for anything else. */
function statusOf(head: string): number {
  const match = /^[^ \r]* ([0-9]{3}) /.exec(head);
  return match === null ? 0 : Number(match[1]);
}

function contentLengthOf(head: string): number | undefined {
  const match = /Content-Length:\s*([0-9]+)(?=[\r\n]|$)/.exec(head);
  return match === null ? undefined : Number(match[1]);
}

/** keepalived's request for a url. `address` is what is asked when no host is named: with its port, IPv6 in brackets. */
export function printRequest(
  path: string,
  protocol: "1.0" | "1.0C" | "1.1",
  host: string | undefined,
  address: string,
): string {
  const version = protocol === "1.1" ? "1.1" : "1.0";
  const close = protocol === "1.0" ? "" : "Connection: close\r\n";
  return `GET ${path} HTTP/${version}\r\nUser-Agent: KeepAliveClient\r\n${close}Host: ${host ?? address}\r\n\r\n`;
}
