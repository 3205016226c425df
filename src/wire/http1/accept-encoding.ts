/**
 * Accept-Encoding, RFC 9110 §12.5.3, as far as nginx and its modules read it: does the client take a coding? Counterparts:
 * ngx_http_gzip_accept_encoding, check_accept_encoding of ngx_brotli.
 */

/** A weight that is more than nothing: `0.001` to `1.000` with at most three digits. */
const POSITIVE_WEIGHT = /^(?:1(?:\.0{0,3})?|0\.(?=\d*[1-9])\d{1,3})(?=[, ]|$)/;

/** True when the list names `gzip` in its first place, without a weight or with one above zero. `*` is not looked at. */
export function acceptsGzip(list: string): boolean {
  if (list.startsWith("gzip,")) return true;
  const found = /(?:^|[, ])gzip/i.exec(list);
  if (found === null) return false;
  const rest = list.slice(found.index + found[0].length).replace(/^ +/, "");
  if (rest === "" || rest.startsWith(",")) return true;
  const weight = /^; *(.*)$/.exec(rest)?.[1];
  if (weight === undefined) return false;
  return weight === "" || (/^q=/i.test(weight) && POSITIVE_WEIGHT.test(weight.slice(2)));
}

/** A weight that begins with 0 … */
const SMALL_WEIGHT = /^ *; *q *= *0/;
/** … and one that is more than nothing all the same. */
const POSITIVE_SMALL_WEIGHT = /^ *; *q *= *0\.(?:[1-9]|0[1-9]|00[1-9])/;

/** True when the list names `coding` (lower case) as a whole word, and not with a weight of zero. `*` is not looked at. */
export function acceptsCoding(list: string, coding: string): boolean {
  const text = list.toLowerCase();
  for (let at = text.indexOf(coding); at >= 0; at = text.indexOf(coding, at + coding.length)) {
    const before = at === 0 ? " " : text[at - 1];
    const after = text[at + coding.length] ?? " ";
    if ((before !== "," && before !== " ") || (after !== "," && after !== " " && after !== ";")) continue;
    const weight = list.slice(at + coding.length);
    return !SMALL_WEIGHT.test(weight) || POSITIVE_SMALL_WEIGHT.test(weight);
  }
  return false;
}
