/** memcached as an upstream speaks it: the answer to one `get`. */
import { type Bytes, latin1 } from "../base/bytes.ts";
import { readGetLine, VALUE_BAD_TRAILER, VALUE_DATA, VALUE_DONE, ValueDecoder } from "../wire/memcached.ts";
import type { AnswerFacts } from "./upstream-answer.ts";
import {
  type AnswerReader,
  READ_DATA,
  READ_DONE,
  READ_FAILED,
  READ_MORE,
  type ReaderUser,
  type Reading,
  type UpstreamProtocol,
} from "./upstream-protocol.ts";

const LF = 0x0a;
const HTTP_11 = 1001;
const FOUND = 200;
const MISSING = 404;
const NO_BYTES: Bytes = new Uint8Array(0);

class MemcachedReader implements AnswerReader {
  position = 0;
  dataStart = 0;
  keepable = false;
  readonly framesBody = true;
  readonly endsWithConnection = false;
  private readonly user: ReaderUser;
  private readonly key: string;
  /** 0: not looked at. */
  private readonly gzipFlag: number;
  private readonly value = new ValueDecoder();
  /** What has come of the first line. */
  private line = "";
  private lengthBytes = 0;

  constructor(user: ReaderUser, key: string, gzipFlag: number) {
    this.user = user;
    this.key = key;
    this.gzipFlag = gzipFlag;
  }

  begin(): void {
    this.line = "";
    this.keepable = false;
  }

  readHead(bytes: Bytes, start: number, end: number, room: number): Reading {
    const found = bytes.subarray(start, end).indexOf(LF);
    const lineEnd = found < 0 ? end : start + found;
    this.line += latin1(bytes, start, lineEnd);
    if (this.line.length >= room) return this.fail("upstream sent too big header");
    this.position = found < 0 ? end : lineEnd + 1;
    if (found < 0) return READ_MORE;
    const { line } = this;
    return line.endsWith("\r") ? this.readLine(line.slice(0, -1)) : this.refuse("response", `: "${line}"`);
  }

  private readLine(line: string): Reading {
    const { head, request } = this.user;
    const { key, gzipFlag } = this;
    const read = readGetLine(line, key);
    const inResponse = ` in response "${line}" for key "${key}"`;
    head.begin(NO_BYTES, 0);
    head.version = HTTP_11;
    head.statusStart = 0;
    head.statusEnd = 0;
    this.lengthBytes = 0;
    switch (read.kind) {
      case "missing":
        this.user.log("info", `key: "${key}" was not found by memcached`);
        head.status = MISSING;
        this.keepable = true;
        return READ_DONE;
      case "value":
        if (gzipFlag !== 0 && read.flags === undefined) return this.refuse("flags", inResponse);
        if (((read.flags ?? 0) & gzipFlag) !== 0)
          request.contentEncodingIndex = request.addHeader("Content-Encoding", "gzip");
        if (read.lengthBytes === undefined) return this.refuse("length", inResponse);
        this.lengthBytes = read.lengthBytes;
        head.status = FOUND;
        return READ_DONE;
      case "other key":
        return this.refuse("key", inResponse);
      default:
        return this.refuse("response", `: "${line}"`);
    }
  }

  amend(facts: AnswerFacts): void {
    facts.contentLength = this.lengthBytes;
    facts.connectionClose = !this.keepable;
  }

  beginBody(): void {
    this.value.begin(this.lengthBytes);
  }

  readBody(bytes: Bytes, start: number, end: number): Reading {
    const { value } = this;
    const result = value.next(bytes, start, end);
    this.position = value.position;
    this.dataStart = value.dataStart;
    if (result === VALUE_DATA) return READ_DATA;
    if (result === VALUE_BAD_TRAILER) this.user.log("error", "memcached sent invalid trailer");
    else if (result !== VALUE_DONE) return READ_MORE;
    this.keepable = result === VALUE_DONE;
    return READ_DONE;
  }

  private refuse(what: string, rest: string): Reading {
    return this.fail(`memcached sent invalid ${what}${rest}`);
  }

  private fail(message: string): Reading {
    this.user.log("error", message);
    return READ_FAILED;
  }
}

/** `keyOf`: the key that a request asks for, as it is sent. */
export function memcachedProtocol(keyOf: (user: ReaderUser) => string, gzipFlag: number): UpstreamProtocol {
  return {
    reader: (user) => new MemcachedReader(user, keyOf(user), gzipFlag),
    framing: undefined,
    // Its answers are in no cache.
    packHead: (head) => head,
  };
}
