/**
 * How a request with server side includes stands: whether its text counts, what its commands have set, what its values mean.
 * Counterpart in nginx: ngx_http_ssi_ctx_t, ngx_http_ssi_evaluate_string.
 */
import type { Decoded } from "../base/decoded.ts";
import type { Pattern } from "../conf/pcre.ts";
import { ANYWHERE, type Condition } from "../wire/ssi/commands.ts";
import { splitValue } from "../wire/ssi/expression.ts";
import { sendingAction } from "./error-context.ts";
import type { Request } from "./request.ts";
import { type Block, MAX_PAGE_BYTES, pageOf, type SsiPage } from "./ssi-page.ts";
import { lowerAscii } from "./substitutions.ts";
import type { Getter } from "./variables.ts";

/** What comes of a command: it is done, the page says that it has failed, or the connection ends. */
export const SSI_OK = 0;
export const SSI_ERROR = 1;
export const SSI_FATAL = 2;
export type SsiOutcome = number;

/** nginx's format of `$date_local` and `$date_gmt`. */
export const TIME_FORMAT = "%A, %d-%b-%Y %H:%M:%S %Z";
const ERROR_MESSAGE = "[an error occurred while processing the directive]";

/** Variables that have a value or fail; others may have none. */
const DATES: ReadonlySet<string> = new Set(["date_local", "date_gmt"]);

/** What the configuration of a location says. */
export interface SsiRules {
  readonly silentErrors: boolean;
  readonly maxValueBytes: number;
  /** The getter of a variable of the configuration; undefined when there is none. */
  lookUp(name: string): Getter | undefined;
  pattern(source: string): Decoded<Pattern>;
}

export type Encoding = "none" | "url" | "entity";

/** Key of a request's notes. */
const CONTEXT = {};

export class SsiContext {
  readonly request: Request;
  readonly rules: SsiRules;
  readonly page: SsiPage;
  encoding: Encoding = "entity";
  timeFormat = TIME_FORMAT;
  errorMessage = ERROR_MESSAGE;
  /** What it stands in: `ANYWHERE`, an `if`, or the `else` of one. */
  condition: Condition = ANYWHERE;
  /** A branch of this `if` has been taken. */
  isChosen = false;
  /** Text goes out and commands work here. */
  isActive = true;
  /** The block that text goes into. */
  block: Block | undefined = undefined;
  /** The subrequest whose end is awaited. */
  awaited: Request | undefined = undefined;

  constructor(request: Request, rules: SsiRules) {
    this.request = request;
    this.rules = rules;
    this.page = pageOf(request);
  }

  log(message: string): void {
    const { request } = this;
    request.connection.logErrorOf(request, "error", message, undefined, sendingAction(request));
  }

  /** The value of a variable: undefined when there is none, `SSI_ERROR` when it could not be made. */
  variable(name: string): string | undefined | typeof SSI_ERROR {
    const own = this.page.get(name);
    if (own !== undefined) return own;
    const lower = lowerAscii(name);
    const value = this.rules.lookUp(lower)?.(this.request);
    return value === undefined && DATES.has(lower) ? SSI_ERROR : value;
  }

  /** A command's value with its variables and without its escapes, or what comes of it. */
  expand(text: string): string | SsiOutcome {
    const parts = splitValue(text);
    if (!parts.ok) {
      this.log(parts.reason);
      return SSI_ERROR;
    }
    let whole = "";
    for (const part of parts.value) {
      const value = typeof part === "string" ? part : this.variable(part.variable);
      if (value === SSI_ERROR) return SSI_FATAL;
      whole += value ?? "";
      if (whole.length > MAX_PAGE_BYTES) {
        this.tooMuch();
        return SSI_FATAL;
      }
    }
    return whole;
  }

  /** False when a page has more to remember than it may, which has been logged. */
  remember(name: string, value: string): boolean {
    return this.page.set(name, value) || this.tooMuch();
  }

  tooMuch(): false {
    this.log("variables and blocks of a page with server side includes need too much memory");
    return false;
  }
}

/** Begins a request's context. Its main request has that of its first part while it has none of its own. */
export function beginContext(request: Request, rules: SsiRules): SsiContext {
  const context = new SsiContext(request, rules);
  request.notes ??= new Map();
  request.notes.set(CONTEXT, context);
  const { main } = request;
  if (contextOf(main) === undefined) main.notes?.set(CONTEXT, context);
  return context;
}

export function contextOf({ notes }: Request): SsiContext | undefined {
  return notes?.get(CONTEXT) as SsiContext | undefined;
}
