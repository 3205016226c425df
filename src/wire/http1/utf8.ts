/** Characters in texts that have one character a byte, as nginx counts them. Counterpart in nginx: ngx_utf8_length. */

/** Bytes behind the first one, and the largest code that fewer bytes would do for; by the first byte. */
function shape(lead: number): readonly [more: number, tooSmall: number] | undefined {
  if (lead >= 0xf8) return undefined;
  if (lead >= 0xf0) return [3, 0xffff];
  if (lead >= 0xe0) return [2, 0x7ff];
  return lead >= 0xc2 ? [1, 0x7f] : undefined;
}

/** Bytes of the character that begins at an offset; 0 when it is none. nginx looks at no upper bound of the bytes behind the first. */
function characterBytes(text: string, at: number): number {
  const lead = text.charCodeAt(at);
  if (lead < 0x80) return 1;
  const found = shape(lead);
  if (found === undefined || at + found[0] >= text.length) return 0;
  const [more, tooSmall] = found;
  let code = lead & (0x3f >> more);
  for (let i = 1; i <= more; i++) {
    const next = text.charCodeAt(at + i);
    if (next < 0x80) return 0;
    code = (code << 6) | (next & 0x3f);
  }
  return code > tooSmall && code <= 0x10ffff ? more + 1 : 0;
}

/** Offsets at which its characters begin, and its length; undefined when it is not UTF-8. */
export function utf8Offsets(text: string): readonly number[] | undefined {
  const offsets: number[] = [];
  for (let at = 0; at < text.length; ) {
    const size = characterBytes(text, at);
    if (size === 0) return undefined;
    offsets.push(at);
    at += size;
  }
  offsets.push(text.length);
  return offsets;
}
