/** `return`: sends a text and closes. nginx: ngx_stream_return_module. */
import { fromLatin1 } from "../../base/bytes.ts";
import type { Use } from "../../conf/slot.ts";
import { raw } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { ETIMEDOUT, PEER_FAILURES } from "../../net/peer-failures.ts";
import { streamModule } from "../module.ts";
import { FINISHED, INTERNAL_SERVER_ERROR } from "../outcome.ts";
import type { Content, Session } from "../session.ts";

/** Time in which a client takes nothing of the text. */
const SEND_TIMEOUT_MS = 5000;

interface ReturnLine {
  readonly order: number;
  readonly text: Template;
}

function parseReturn(use: Use): ReturnLine | undefined {
  const text = use.template(use.args[0] as string);
  return text === undefined ? undefined : { order: use.order, text };
}

const directives = {
  return: raw<ReturnLine, undefined>(undefined, parseReturn, {
    in: "stream server",
    inherit: "none",
    syntax: "value",
    doc: "Sends a text to the client and closes the connection.",
  }),
};

/** A text on its way to a client. */
class Answer implements Content {
  private readonly session: Session;
  private readonly text: string;
  private taken = 0;

  constructor(session: Session, text: string) {
    this.session = session;
    this.text = text;
  }

  onWritable(): void {
    const { session, text } = this;
    const { scratch, timers } = session.worker;
    while (this.taken < text.length) {
      const piece = fromLatin1(text.slice(this.taken, this.taken + scratch.size));
      scratch.bytes.set(piece, 0);
      const taken = session.stream.write(scratch.memory, 0, piece.length, false);
      if (taken < 0) {
        session.logError(PEER_FAILURES.has(-taken) ? "info" : "alert", "send() failed", -taken);
        session.finish(INTERNAL_SERVER_ERROR);
        return;
      }
      this.taken += taken;
      session.sentBytes += taken;
      if (taken === piece.length) continue;
      timers.arm(session, SEND_TIMEOUT_MS);
      return;
    }
    session.finish(FINISHED);
  }

  onTimer(): void {
    this.session.logError("info", "connection timed out", ETIMEDOUT);
    this.session.finish(FINISHED);
  }

  close(): void {}
}

export const returnText = streamModule({
  name: "stream_return",
  directives,
  content({ return: line }, place) {
    if (line === undefined) return undefined;
    const text = place.compile(line.text);
    const run = (session: Session): void => {
      session.action = "returning text";
      const answer = new Answer(session, text(session));
      session.lendTo(answer);
      answer.onWritable();
    };
    return { order: line.order, run };
  },
});
