/** Named values inside header lines: `name=value` between separators (Cookie, Cache-Control and their like). */

/** The value of `name` (compared without case) in a line with this one-character separator, undefined when absent. */
export function findParam(line: string, name: string, separator: string): string | undefined {
  const wanted = name.toLowerCase();
  let at = 0;
  while (at < line.length) {
    let end = line.indexOf(separator, at);
    if (end < 0) end = line.length;
    if (line.slice(at, at + wanted.length).toLowerCase() === wanted) {
      let p = at + wanted.length;
      while (p < end && line.charCodeAt(p) === 0x20) p++;
      if (p < end && line.charCodeAt(p) === 0x3d) {
        p++;
        while (p < end && line.charCodeAt(p) === 0x20) p++;
        return line.slice(p, end);
      }
    }
    at = end + 1;
    while (at < line.length && line.charCodeAt(at) === 0x20) at++;
  }
  return undefined;
}
