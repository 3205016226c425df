/**
 * The syntax tree of an nginx.conf: directives with words, blocks and positions. Texts are byte strings (one character
 * a byte, ISO 8859-1), because nginx gives a configuration no encoding; what was UTF-8 in the file is UTF-8 when written.
 */
import type { Diagnostic, Position } from "./diagnostics.ts";
import type { GeoBase } from "./geo-base.ts";

/** How a word was written. */
export type Quote = "" | '"' | "'";

/** One word of a directive, escapes resolved. */
export interface Word {
  readonly text: string;
  readonly quote: Quote;
  readonly position: Position;
}

/** `name args… ;` or `name args… { … }`. */
export interface Directive {
  readonly name: string;
  readonly nameQuote: Quote;
  readonly args: readonly Word[];
  readonly block?: Block;
  /** Where the name begins. */
  readonly position: Position;
  /** Where the `;` or `{` is: nginx's messages about a directive carry this line. */
  readonly end: Position;
  /** For an `include` (or the `state` of an upstream) that was loaded: the files that it brought, in order. */
  readonly sources?: readonly Source[];
}

/** The braces of a directive. */
export interface Block {
  readonly directives: readonly Directive[];
  /** Where the `}` is (or where the file ended without one). */
  readonly end: Position;
}

/** One file, parsed. */
export interface Source {
  readonly file: string;
  /** The whole text, for `nginx -T`; absent when the file could not be read. */
  readonly text?: string;
  readonly directives: readonly Directive[];
  /** Of a file that `geo` includes: its binary base, which is read instead where it can be used. */
  readonly base?: GeoBase;
  /** Why the parser stopped before the end; `directives` holds what was complete or open until then. */
  readonly fault?: Diagnostic;
}
