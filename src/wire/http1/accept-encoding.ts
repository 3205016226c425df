/** Accept-Encoding, RFC 9110 §12.5.3, as far as nginx reads it: does the client take gzip? Counterpart: ngx_http_gzip_accept_encoding. */

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
