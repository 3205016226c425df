/** FastCGI as an upstream speaks it. Counterpart in nginx: ngx_http_fastcgi_process_header, ngx_http_fastcgi_input_filter. */
import { type Bytes, concatBytes, latin1 } from "../base/bytes.ts";
import {
  END_REQUEST,
  HEADER_BYTES,
  MAX_CONTENT_BYTES,
  paddingOf,
  RECORD_BEGIN,
  RECORD_CONTENT,
  RECORD_END,
  RECORD_INVALID,
  RECORD_MORE,
  RecordDecoder,
  STDERR,
  STDIN,
  STDOUT,
  writeRecordHeader,
} from "../wire/fastcgi/record.ts";
import { CgiHead } from "./cgi-head.ts";
import type { Output } from "./output.ts";
import type { AnswerFacts } from "./upstream-answer.ts";
import {
  type AnswerReader,
  type BodyFraming,
  READ_DATA,
  READ_DONE,
  READ_FAILED,
  READ_MORE,
  type ReaderUser,
  type Reading,
  type UpstreamProtocol,
} from "./upstream-protocol.ts";

/** As nginx cuts bodies. */
const MAX_STDIN_BYTES = 32 * 1024;
const MAX_PADDING_BYTES = 7;
const NOT_BEGUN = -2;
/** Behind what programs write into their error stream. */
const LINE_ENDS = new Set([0x0a, 0x0d, 0x2e, 0x20]);

export const stdinFraming: BodyFraming = {
  maxRecordBytes: MAX_STDIN_BYTES,
  overheadBytes: (sizeBytes) =>
    HEADER_BYTES + (Math.floor(sizeBytes / MAX_STDIN_BYTES) + 1) * (HEADER_BYTES + MAX_PADDING_BYTES),
  open(output: Output, sizeBytes: number): void {
    output.used = writeRecordHeader(output.bytes, output.used, STDIN, sizeBytes, paddingOf(sizeBytes));
  },
  close(output: Output, sizeBytes: number): void {
    const padding = paddingOf(sizeBytes);
    output.bytes.fill(0, output.used, output.used + padding);
    output.used += padding;
  },
  end(output: Output): void {
    output.used = writeRecordHeader(output.bytes, output.used, STDIN, 0, 0);
  },
};

export interface FastcgiSettings {
  readonly keepsConnection: boolean;
  /** Texts in the error stream that make an answer invalid. */
  readonly catches: readonly string[];
}

class FastcgiReader implements AnswerReader {
  position = 0;
  dataStart = 0;
  keepable = false;
  readonly framesBody = true;
  private readonly user: ReaderUser;
  private readonly settings: FastcgiSettings;
  private readonly decoder = new RecordDecoder();
  private readonly head: CgiHead;
  /** Bytes of the body to come; -1 when nobody knows, NOT_BEGUN while there may be none of them. */
  private rest = -1;
  private announced = -1;
  /** All that was announced has come, and more. */
  private isOver = false;
  private isBuffered = true;

  constructor(user: ReaderUser, settings: FastcgiSettings) {
    this.user = user;
    this.settings = settings;
    this.head = new CgiHead(user, false);
  }

  get endsWithConnection(): boolean {
    return !this.settings.keepsConnection || !this.isBuffered;
  }

  begin(): void {
    this.decoder.reset();
    this.head.begin();
    this.keepable = false;
    this.isOver = false;
    this.rest = -1;
  }

  readHead(bytes: Bytes, start: number, end: number, room: number): Reading {
    const { decoder, head } = this;
    let at = start;
    for (;;) {
      const result = decoder.next(bytes, at, end);
      at = decoder.position;
      if (result === RECORD_MORE) {
        this.position = at;
        return READ_MORE;
      }
      if (result === RECORD_INVALID) return this.refuse(decoder.reason);
      if (result === RECORD_BEGIN) {
        if (decoder.type === END_REQUEST) return this.refuse(`unexpected FastCGI record: ${END_REQUEST}`);
        if (decoder.type === STDOUT && decoder.left === 0)
          return this.fail("upstream prematurely closed FastCGI stdout");
      } else if (result === RECORD_CONTENT && decoder.type === STDERR) {
        if (this.isCaught(bytes, decoder.dataStart, at)) return READ_FAILED;
      } else if (result === RECORD_CONTENT) {
        // The head of a record that a cache's file has it in needs room, too.
        const read = head.read(bytes, decoder.dataStart, at, room - HEADER_BYTES);
        if (read === READ_MORE) continue;
        decoder.unread(head.surplus);
        this.position = decoder.position;
        return read;
      }
    }
  }

  amend(facts: AnswerFacts): void {
    facts.chunked = false;
    facts.connectionClose = true;
  }

  beginBody(length: number, buffered: boolean, isOptional: boolean): void {
    this.rest = isOptional && length > 0 ? NOT_BEGUN : length;
    this.announced = length;
    this.isBuffered = buffered;
  }

  readBody(bytes: Bytes, start: number, end: number): Reading {
    const { decoder } = this;
    let at = start;
    if (this.isOver) return this.finish(start);
    for (;;) {
      const result = decoder.next(bytes, at, end);
      at = decoder.position;
      if (result === RECORD_MORE) {
        this.position = at;
        return READ_MORE;
      }
      if (result === RECORD_INVALID) return this.refuse(decoder.reason);
      if (result === RECORD_BEGIN) {
        if (this.isTooEarly()) return READ_FAILED;
      } else if (result === RECORD_END && decoder.type === END_REQUEST) {
        this.keepable = this.settings.keepsConnection && at === end;
        return this.finish(at);
      } else if (result === RECORD_CONTENT && decoder.type === STDERR) this.complain(bytes, decoder.dataStart, at);
      else if (result === RECORD_CONTENT && decoder.type === STDOUT) return this.takeData(decoder.dataStart, at);
    }
  }

  /** A record has begun that ends the body before it is whole. Without a buffer nginx minds the end of the request only. */
  private isTooEarly(): boolean {
    const { type, left } = this.decoder;
    if (this.rest <= 0) return false;
    if (type === END_REQUEST) this.fail("upstream prematurely closed FastCGI request");
    else if (type === STDOUT && left === 0 && this.isBuffered) this.fail("upstream prematurely closed FastCGI stdout");
    else return false;
    return true;
  }

  private takeData(start: number, end: number): Reading {
    const size = end - start;
    this.dataStart = start;
    this.position = end;
    if (this.rest === NOT_BEGUN) this.rest = this.announced;
    if (this.rest >= 0 && size > this.rest) {
      this.user.log("warn", 'upstream sent more data than specified in "Content-Length" header');
      if (this.rest === 0) return this.finish(end);
      this.isOver = true;
      this.position = start + this.rest;
      this.rest = 0;
    } else if (this.rest > 0) this.rest -= size;
    return READ_DATA;
  }

  private finish(at: number): Reading {
    this.position = at;
    return READ_DONE;
  }

  private refuse(reason: string): Reading {
    return this.fail(`upstream sent ${reason}`);
  }

  private fail(message: string): Reading {
    this.user.log("error", message);
    return READ_FAILED;
  }

  /** Logs what a program has written into its error stream; the text. */
  private complain(bytes: Bytes, start: number, end: number): string {
    let last = end - 1;
    while (last > start && LINE_ENDS.has(bytes[last] as number)) last--;
    const text = latin1(bytes, start, last + 1);
    this.user.log("error", `FastCGI sent in stderr: "${text}"`);
    return text;
  }

  private isCaught(bytes: Bytes, start: number, end: number): boolean {
    const text = this.complain(bytes, start, end);
    return this.settings.catches.some((pattern) => text.includes(pattern));
  }
}

/** A head in records, as nginx's cache files have it. */
function packHead(head: Bytes): Bytes {
  const parts: Bytes[] = [];
  for (let at = 0; at < head.length; at += MAX_CONTENT_BYTES) {
    const content = head.subarray(at, Math.min(head.length, at + MAX_CONTENT_BYTES));
    const header = new Uint8Array(HEADER_BYTES);
    writeRecordHeader(header, 0, STDOUT, content.length, 0);
    parts.push(header, content);
  }
  return concatBytes(parts);
}

export function fastcgiProtocol(settings: FastcgiSettings): UpstreamProtocol {
  return { reader: (user) => new FastcgiReader(user, settings), framing: stdinFraming, packHead };
}
