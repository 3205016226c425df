/** Answers as SCGI and uwsgi servers give them: a CGI head, or one of HTTP, then the body until the connection ends. nginx: ngx_http_scgi_process_status_line. */
import type { Bytes } from "../base/bytes.ts";
import { CgiHead } from "./cgi-head.ts";
import type { AnswerFacts } from "./upstream-answer.ts";
import {
  type AnswerReader,
  READ_DONE,
  type ReaderUser,
  type Reading,
  type UpstreamProtocol,
} from "./upstream-protocol.ts";

class CgiReader implements AnswerReader {
  position = 0;
  readonly dataStart = 0;
  readonly endsWithConnection = true;
  /** One request has one connection. */
  readonly keepable = false;
  readonly framesBody = false;
  private readonly head: CgiHead;

  constructor(user: ReaderUser) {
    this.head = new CgiHead(user, true);
  }

  begin(): void {
    this.head.begin();
  }

  readHead(bytes: Bytes, start: number, end: number, room: number): Reading {
    const reading = this.head.read(bytes, start, end, room);
    this.position = end - this.head.surplus;
    return reading;
  }

  amend(facts: AnswerFacts): void {
    facts.chunked = false;
    facts.connectionClose = true;
  }

  beginBody(): void {}

  /** Nobody calls it. */
  readBody(_bytes: Bytes, start: number): Reading {
    this.position = start;
    return READ_DONE;
  }
}

export const cgiProtocol: UpstreamProtocol = {
  reader: (user) => new CgiReader(user),
  framing: undefined,
  packHead: (head) => head,
};
