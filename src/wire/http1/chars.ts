/** Character classes of HTTP/1 as lookup tables: one load a byte instead of a chain of comparisons. */

function table(accepts: (code: number) => boolean): Uint8Array {
  const classes = new Uint8Array(256);
  for (let code = 0; code < 256; code++) classes[code] = accepts(code) ? 1 : 0;
  return classes;
}

function isLetter(code: number): boolean {
  return ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a) as boolean;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** URI bytes without a meaning of their own: everything but controls, space and `# % + . / ?`. */
export const PLAIN_URI: Uint8Array = table(
  (code) => code > 0x20 && code !== 0x7f && !"#%+./?".includes(String.fromCharCode(code)),
);

/** Bytes of a header name that are valid without question: letters, digits and `-`. */
export const HEADER_NAME: Uint8Array = table((code) => isLetter(code) || isDigit(code) || code === 0x2d);

/** Bytes of a method: capitals, `_` and `-`. */
export const METHOD: Uint8Array = table((code) => (code >= 0x41 && code <= 0x5a) || code === 0x5f || code === 0x2d);

/** Letters, digits, `.` and `-`: the host of an absolute-form target outside brackets. */
export const TARGET_HOST: Uint8Array = table(
  (code) => isLetter(code) || isDigit(code) || code === 0x2e || code === 0x2d,
);

/** Unreserved and sub-delims of RFC 3986 and `:`: what stands between the brackets of an IP literal. */
export const IP_LITERAL: Uint8Array = table(
  (code) => isLetter(code) || isDigit(code) || (code !== 0 && ":-._~!$&'()*+,;=".includes(String.fromCharCode(code))),
);

/** Value of a hexadecimal digit, 255 for anything else. */
export const HEX_VALUE: Uint8Array = (() => {
  const values = new Uint8Array(256).fill(255);
  for (let digit = 0; digit < 16; digit++) {
    values[digit.toString(16).charCodeAt(0)] = digit;
    values[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
  }
  return values;
})();
