/** Which variant of an answer a request gets: by the lines of the request that Vary names. nginx: ngx_http_file_cache_vary. */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import { Md5 } from "../base/hash-md5.ts";
import type { RequestHead } from "../wire/http1/request-head.ts";

/** Lines whose words count, however they are separated. */
const NORMALISED: ReadonlySet<string> = new Set(["accept-charset", "accept-encoding", "accept-language"]);

/** The key of the variant: `main` is that of the answer. */
export function variantOf(main: Bytes, vary: string, head: RequestHead): Bytes {
  const md5 = new Md5();
  md5.add(main);
  for (const name of vary.toLowerCase().split(/[ ,]+/)) {
    if (name === "") continue;
    md5.add(fromLatin1(`${name}:${lineOf(head, name)}\r\n`));
  }
  return md5.end();
}

/** All lines of this name as one. */
function lineOf(head: RequestHead, name: string): string {
  const values: string[] = [];
  for (let index = 0; index < head.fieldCount; index++) {
    if (head.name(index).toLowerCase() === name) values.push(head.value(index));
  }
  if (!NORMALISED.has(name)) return values.join(",");
  return values
    .flatMap((value) => value.split(/[ ,]+/))
    .filter((word) => word !== "")
    .join(",");
}
