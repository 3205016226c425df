/**
 * Finds the commands of server side includes in a stream of bytes, whatever pieces it comes in: `<!--#name key="value" … -->`.
 * Texts are one character a byte. Counterpart in nginx: ngx_http_ssi_parse.
 *
 * A place that turns out to be no command is text again; an incomplete one at the end of a body is lost, as nginx loses it.
 */
import type { Bytes } from "../../base/bytes.ts";

export interface SsiParameter {
  readonly name: string;
  readonly value: string;
}

export interface SsiCommand {
  readonly name: string;
  /** In the order of the page; one more than `MAX_PARAMETERS` when there are too many. */
  readonly parameters: readonly SsiParameter[];
}

/** Longest name of a command and of a parameter. nginx: NGX_HTTP_SSI_COMMAND_LEN, NGX_HTTP_SSI_PARAM_LEN. */
export const MAX_NAME_BYTES = 32;
/** nginx: NGX_HTTP_SSI_MAX_PARAMS. */
export const MAX_PARAMETERS = 16;

/** What `next` has found: nothing more in these bytes, text, a command, or a place that should have been one. */
export const SSI_MORE = 0;
export const SSI_TEXT = 1;
export const SSI_COMMAND = 2;
export const SSI_FAILURE = 3;
export type SsiResult = number;

/** What every command begins with. */
export const OPENING = "<!--#";

// States of the walk; inside a command they have nginx's names.
const TEXT = 0;
const OPENING_BEGUN = 1;
const PRE_COMMAND = 2;
const COMMAND = 3;
const PRE_PARAMETER = 4;
const PARAMETER = 5;
const PRE_EQUAL = 6;
const PRE_VALUE = 7;
const DOUBLE_QUOTED = 8;
const QUOTED = 9;
const QUOTED_SYMBOL = 10;
const POST_VALUE = 11;
const END_0 = 12;
const END_1 = 13;
const FAILED = 14;
const FAILED_END_0 = 15;
const FAILED_END_1 = 16;

const LESS = 0x3c;
const MINUS = 0x2d;
const GREATER = 0x3e;
const EQUALS = 0x3d;
const DOUBLE_QUOTE = 0x22;
const QUOTE = 0x27;
const BACKSLASH = 0x5c;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0d || code === 0x0a || code === 0x09;
}

function openingCode(index: number): number {
  return OPENING.charCodeAt(index);
}

export class SsiParser {
  /** Behind the last byte that `next` has used. */
  position = 0;
  /** The text that was found: the first `lead` characters of `OPENING`, which came in earlier bytes, then `bytes[textStart, textEnd)`. */
  lead = 0;
  textStart = 0;
  textEnd = 0;
  private readonly maxValueBytes: number;
  private readonly report: (message: string) => void;
  private state = TEXT;
  /** Characters of `OPENING` that the bytes before have ended with. */
  private matched = 0;
  private name = "";
  private parameters: SsiParameter[] = [];
  private key = "";
  private value = "";
  private quote = DOUBLE_QUOTED;

  /** `report` is told what is wrong with a command as soon as it is seen. */
  constructor(maxValueBytes: number, report: (message: string) => void) {
    this.maxValueBytes = maxValueBytes;
    this.report = report;
  }

  /** The command that was found. */
  get command(): SsiCommand {
    return { name: this.name, parameters: this.parameters };
  }

  /** The next thing in `bytes[start, end)`; the rest begins at `position`. */
  next(bytes: Bytes, start: number, end: number): SsiResult {
    this.lead = 0;
    if (this.state > OPENING_BEGUN) return this.nextInCommand(bytes, start, end);
    this.textStart = start;
    if (this.state === OPENING_BEGUN) {
      let at = start;
      while (at < end && this.matched < OPENING.length && bytes[at] === openingCode(this.matched)) {
        at++;
        this.matched++;
      }
      if (this.matched === OPENING.length) return this.begin(bytes, at, end);
      if (at === end) {
        this.position = end;
        return SSI_MORE;
      }
      // What was matched is text after all; only its beginning came before these bytes.
      this.lead = this.matched - (at - start);
      this.matched = 0;
      this.state = TEXT;
    }
    return this.nextInText(bytes, start, end);
  }

  private nextInText(bytes: Bytes, start: number, end: number): SsiResult {
    const view = bytes.subarray(0, end);
    let at = start;
    for (;;) {
      at = view.indexOf(LESS, at);
      if (at < 0) return this.foundText(end, end);
      let matched = 1;
      while (at + matched < end && matched < OPENING.length && view[at + matched] === openingCode(matched)) matched++;
      if (matched === OPENING.length) {
        // Its own next call when there is text in front.
        if (at > start || this.lead > 0) return this.foundText(at, at);
        return this.begin(bytes, at + matched, end);
      }
      if (at + matched === end) {
        this.state = OPENING_BEGUN;
        this.matched = matched;
        return this.foundText(at, end);
      }
      at++;
    }
  }

  private foundText(textEnd: number, position: number): SsiResult {
    this.textEnd = textEnd;
    this.position = position;
    return this.lead > 0 || this.textStart < textEnd ? SSI_TEXT : SSI_MORE;
  }

  private begin(bytes: Bytes, start: number, end: number): SsiResult {
    this.matched = 0;
    this.state = PRE_COMMAND;
    return this.nextInCommand(bytes, start, end);
  }

  private nextInCommand(bytes: Bytes, start: number, end: number): SsiResult {
    for (let at = start; at < end; at++) {
      this.step(bytes[at] as number);
      if (this.state !== TEXT) continue;
      this.position = at + 1;
      return this.name === "" ? SSI_FAILURE : SSI_COMMAND;
    }
    this.position = end;
    return SSI_MORE;
  }

  /** One byte of a command. The state is that of text when it was the last one; a command that failed has no name then. */
  private step(code: number): void {
    switch (this.state) {
      case PRE_COMMAND:
        if (isSpace(code)) return;
        this.name = String.fromCharCode(code);
        this.parameters = [];
        this.state = COMMAND;
        return;
      case COMMAND:
        this.stepName(code);
        return;
      case PRE_PARAMETER:
        if (code === MINUS) this.state = END_0;
        else if (!isSpace(code)) {
          this.key = String.fromCharCode(code);
          this.value = "";
          this.state = PARAMETER;
        }
        return;
      case PARAMETER:
        this.stepKey(code);
        return;
      case PRE_EQUAL:
      case PRE_VALUE:
        this.stepEqual(code);
        return;
      case DOUBLE_QUOTED:
      case QUOTED:
      case QUOTED_SYMBOL:
        this.stepValue(code);
        return;
      case POST_VALUE:
        this.endParameter(code);
        return;
      case END_0:
      case END_1:
        this.stepEnd(code);
        return;
      case FAILED:
      case FAILED_END_0:
      case FAILED_END_1:
        this.stepFailed(code);
        return;
      default:
    }
  }

  private stepName(code: number): void {
    if (isSpace(code)) this.state = PRE_PARAMETER;
    else if (code === MINUS) this.state = END_0;
    else if (this.name.length === MAX_NAME_BYTES) {
      this.fail(FAILED, `the "${this.name}${String.fromCharCode(code)}..." SSI command is too long`);
    } else this.name += String.fromCharCode(code);
  }

  private stepKey(code: number): void {
    if (isSpace(code)) this.state = PRE_EQUAL;
    else if (code === EQUALS) this.state = PRE_VALUE;
    else if (code === MINUS) this.failAfterKey(code);
    else if (this.key.length === MAX_NAME_BYTES) {
      const shown = this.key + String.fromCharCode(code);
      this.fail(FAILED, `too long "${shown}..." parameter in "${this.name}" SSI command`);
    } else this.key += String.fromCharCode(code);
  }

  private failAfterKey(code: number): void {
    const symbol = String.fromCharCode(code);
    this.fail(
      code === MINUS ? FAILED_END_0 : FAILED,
      `unexpected "${symbol}" symbol after "${this.key}" parameter in "${this.name}" SSI command`,
    );
  }

  private stepEqual(code: number): void {
    if (isSpace(code)) return;
    if (this.state === PRE_EQUAL) {
      if (code === EQUALS) this.state = PRE_VALUE;
      else this.failAfterKey(code);
      return;
    }
    if (code === DOUBLE_QUOTE) this.state = DOUBLE_QUOTED;
    else if (code === QUOTE) this.state = QUOTED;
    else {
      const symbol = String.fromCharCode(code);
      this.fail(
        code === MINUS ? FAILED_END_0 : FAILED,
        `unexpected "${symbol}" symbol before value of "${this.key}" parameter in "${this.name}" SSI command`,
      );
    }
  }

  /** An escaped character stays with its backslash: what it means is up to the command. */
  private stepValue(code: number): void {
    const { state } = this;
    if (state === QUOTED_SYMBOL) this.state = this.quote;
    else if (code === (state === QUOTED ? QUOTE : DOUBLE_QUOTE)) {
      this.state = POST_VALUE;
      return;
    } else if (code === BACKSLASH) {
      this.quote = state;
      this.state = QUOTED_SYMBOL;
    }
    if (this.value.length < this.maxValueBytes) {
      this.value += String.fromCharCode(code);
      return;
    }
    const shown = this.value + String.fromCharCode(code);
    this.fail(FAILED, `too long "${shown}..." value of "${this.key}" parameter in "${this.name}" SSI command`);
  }

  private endParameter(code: number): void {
    const { key, value } = this;
    if (this.parameters.length <= MAX_PARAMETERS) this.parameters.push({ name: key, value });
    if (isSpace(code)) this.state = PRE_PARAMETER;
    else if (code === MINUS) this.state = END_0;
    else {
      const symbol = String.fromCharCode(code);
      this.fail(
        FAILED,
        `unexpected "${symbol}" symbol after "${value}" value of "${key}" parameter in "${this.name}" SSI command`,
      );
    }
  }

  private stepEnd(code: number): void {
    if (code === (this.state === END_0 ? MINUS : GREATER)) {
      this.state = this.state === END_0 ? END_1 : TEXT;
      return;
    }
    this.fail(FAILED, `unexpected "${String.fromCharCode(code)}" symbol in "${this.name}" SSI command`);
  }

  private fail(state: number, message: string): void {
    this.report(message);
    this.state = state;
  }

  private stepFailed(code: number): void {
    if (this.state === FAILED_END_1 && code === GREATER) {
      this.name = "";
      this.state = TEXT;
    } else if (code === MINUS && this.state !== FAILED_END_1) this.state++;
    else this.state = FAILED;
  }
}
