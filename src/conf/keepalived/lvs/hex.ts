/** Bytes written as hexadecimal digits, blanks between bytes allowed, `X` for four bits that may be anything. keepalived: read_hex_str. */
import type { HexPattern } from "./drafts.ts";

/** Reads the digits; undefined when there are none, or something else. `wild`: X is allowed. */
export function readHexPattern(text: string, wild: boolean): HexPattern | undefined {
  const bytes: number[] = [];
  const mask: number[] = [];
  for (const group of text.split(/[ \t]+/)) {
    if (!(wild ? /^[0-9a-fA-FxX]*$/ : /^[0-9a-fA-F]*$/).test(group)) return undefined;
    for (let at = 0; at < group.length; at += 2) {
      // A digit that stands alone is a byte.
      const digits = group.slice(at, at + 2);
      bytes.push(Number.parseInt(digits.replace(/x/gi, "0"), 16));
      mask.push(Number.parseInt(digits.replace(/[^xX]/g, "0").replace(/x/gi, "f"), 16));
    }
  }
  return bytes.length === 0 ? undefined : { bytes: Uint8Array.from(bytes), mask: Uint8Array.from(mask) };
}
