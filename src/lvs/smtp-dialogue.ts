/** The talk with a mail server that SMTP_CHECK wants to have: greeting, HELO, QUIT. A pure machine. keepalived: check_smtp.c. */
import { type Bytes, concatBytes, fromLatin1, latin1 } from "../base/bytes.ts";

/** A line that does not end within this: what has come is forgotten, as keepalived does. */
export const MAX_LINE_BYTES = 511;

/** What to do after bytes have come: say something, or it is over (`failure` undefined: well). */
export type SmtpTurn =
  | { readonly say: Bytes }
  | { readonly failure: string | undefined }
  /** More must come. */
  | undefined;

export class SmtpDialogue {
  readonly #heloName: string;
  readonly #server: string;
  #line: Bytes = new Uint8Array(0);
  #awaits: "banner" | "helo" | "quit" = "banner";

  /** `server`: as it is called in failures. */
  constructor(heloName: string, server: string) {
    this.#heloName = heloName;
    this.#server = server;
  }

  /** Bytes have come. What stands behind a line in the same packet is not looked at. */
  hear(bytes: Bytes): SmtpTurn {
    const line = concatBytes([this.#line, bytes]);
    const end = line.indexOf(10);
    if (end < 0) {
      this.#line = line.length >= MAX_LINE_BYTES ? new Uint8Array(0) : line;
      return undefined;
    }
    this.#line = new Uint8Array(0);
    const status = statusOf(latin1(line, 0, end));
    switch (this.#awaits) {
      case "banner":
        if (status !== 220) return { failure: `Bad greeting banner from server ${this.#server}` };
        this.#awaits = "helo";
        return { say: fromLatin1(`HELO ${this.#heloName}\r\n`) };
      case "helo":
        if (status !== 250) return { failure: `Bad HELO response from server ${this.#server}` };
        this.#awaits = "quit";
        return { say: fromLatin1("QUIT\r\n") };
      case "quit":
        return { failure: undefined };
    }
  }
}

/** Three digits and a blank, or nothing else. */
function statusOf(line: string): number {
  const match = /^([0-9]{3})(?: |$)/.exec(line);
  return match === null ? -1 : Number(match[1]);
}
