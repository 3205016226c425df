/** Entity tags, RFC 9110 §8.8.3 and §13.1: does a list of tags hold this one? */

/** True when `list` (the value of If-Match or If-None-Match) is `*` or has `etag`; `weak` compares without `W/`. */
export function etagListed(list: string, etag: string | undefined, weak: boolean): boolean {
  if (list === "*") return true;
  if (etag === undefined) return false;
  let wanted = etag;
  if (weak && wanted.startsWith("W/")) wanted = wanted.slice(2);
  let at = 0;
  while (at < list.length) {
    if (weak && list.startsWith("W/", at)) at += 2;
    if (list.startsWith(wanted, at)) {
      let after = at + wanted.length;
      while (list.charCodeAt(after) === 0x20 || list.charCodeAt(after) === 0x09) after++;
      if (after >= list.length || list.charCodeAt(after) === 0x2c) return true;
    }
    while (at < list.length && list.charCodeAt(at) !== 0x2c) at++;
    while (at < list.length && (list.charCodeAt(at) === 0x2c || list.charCodeAt(at) <= 0x20)) at++;
  }
  return false;
}
