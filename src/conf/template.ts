/** Text with `$variables`, as most http directives take it: parsed once into parts. nginx: "complex value". */
import { type Decoded, decoded, malformed } from "../base/decoded.ts";

/** A literal, a variable (name in lower case, as nginx compares), or `$1`…`$9` of the last regular expression. */
export type TemplatePart =
  | string
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "capture"; readonly index: number };

export interface Template {
  /** As it was written. */
  readonly text: string;
  readonly parts: readonly TemplatePart[];
}

/** The text of a template without variables; undefined when it has some. */
export function constantOf({ parts }: Template): string | undefined {
  if (parts.length === 0) return "";
  return parts.length === 1 && typeof parts[0] === "string" ? parts[0] : undefined;
}

/** A template that means this text and nothing else, dollars included. */
export function literal(text: string): Template {
  return { text, parts: text === "" ? [] : [text] };
}

const REFERENCE = /([1-9])|\{([A-Za-z0-9_]*)(\}?)|([A-Za-z0-9_]+)/y;

/** Splits `a$b${c}$1d` into its parts; the reason of a failure is nginx's message. */
export function parseTemplate(text: string): Decoded<Template> {
  const parts: TemplatePart[] = [];
  for (let offset = 0; offset < text.length; ) {
    const dollar = text.indexOf("$", offset);
    const end = dollar < 0 ? text.length : dollar;
    if (end > offset) parts.push(text.slice(offset, end));
    if (dollar < 0) break;
    REFERENCE.lastIndex = dollar + 1;
    const match = REFERENCE.exec(text);
    if (match === null) return malformed("invalid variable name");
    const [, capture, braced, closing, bare] = match;
    if (capture !== undefined) parts.push({ kind: "capture", index: Number(capture) });
    else {
      const name = bare ?? (braced as string);
      const atEnd = dollar + 2 === text.length;
      if (braced !== undefined && closing === "" && !atEnd)
        return malformed(`the closing bracket in "${name}" variable is missing`);
      if (name === "") return malformed("invalid variable name");
      parts.push({ kind: "variable", name: name.toLowerCase() });
    }
    offset = REFERENCE.lastIndex;
  }
  return decoded({ text, parts });
}
