/** `$secure_link`: whether a link carries the right MD5 hash, and has not expired. nginx: ngx_http_secure_link_module. */
import { decodeBase64Url } from "../../base/base64.ts";
import { equalBytes, fromLatin1 } from "../../base/bytes.ts";
import { md5, md5Hex } from "../../base/hash-md5.ts";
import { closingBrace } from "../../conf/scope.ts";
import { template, text } from "../../conf/slots.ts";
import { parseNumber } from "../../conf/units.ts";
import { httpModule } from "../module.ts";
import { isSameSecret } from "../passwords.ts";
import type { Request } from "../request.ts";
import type { Text } from "../variables.ts";

/** The longest text that 16 bytes can be in base64, padding included. */
const MAX_HASH = 24;
const HASH_BYTES = 16;

const directives = {
  secure_link: template(undefined, {
    doc: "The hash that a link carries, in base64 for addresses, and perhaps behind a comma the second at which it expires.",
  }),
  secure_link_md5: template(undefined, { doc: "The text whose MD5 hash a link must carry." }),
  secure_link_secret: text(undefined, {
    doc: "The word that makes links `/prefix/hash/link` of the older kind, with the hash of link and word in hexadecimal.",
  }),
};

const MIXED = '"secure_link_secret" cannot be mixed with "secure_link" and "secure_link_md5"';

/** How links of a location are checked. */
type Check =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "hash"; readonly link: Text; readonly hashed: Text };

/** Key of the request's notes: what the link says of its end. */
const EXPIRES = {};

function value(request: Request): string | undefined {
  const check = request.location.prepared.get(secureLink) as Check | undefined;
  if (check === undefined) return undefined;
  return check.kind === "secret" ? linkBehind(request, check.secret) : verdict(request, check.link, check.hashed);
}

/** "1" for a good link, "0" for one that has expired. */
function verdict(request: Request, link: Text, hashed: Text): string | undefined {
  const text = link(request);
  const comma = text.indexOf(",");
  let expires = 0;
  if (comma >= 0) {
    expires = parseNumber(text.slice(comma + 1)) ?? 0;
    if (expires === 0) return undefined;
    request.notes ??= new Map();
    request.notes.set(EXPIRES, text.slice(comma + 1));
  }
  const hash = comma < 0 ? text : text.slice(0, comma);
  const bytes = hash.length > MAX_HASH ? undefined : decodeBase64Url(hash);
  if (bytes?.length !== HASH_BYTES) return undefined;
  if (!equalBytes(bytes, md5(fromLatin1(hashed(request))))) return undefined;
  return expires !== 0 && expires < request.connection.worker.dates.now() ? "0" : "1";
}

/** The link itself, when the hash in front of it is that of link and secret. */
function linkBehind(request: Request, secret: string): string | undefined {
  const match = /^.[^/]*\/([0-9a-f]{32})\/(.+)$/is.exec(request.unparsedUri);
  if (match === null) return undefined;
  const [, hash = "", link = ""] = match;
  return isSameSecret(hash.toLowerCase(), md5Hex(fromLatin1(link + secret))) ? link : undefined;
}

export const secureLink = httpModule({
  name: "secure_link",
  contexts: "http, server, location",
  directives,
  variables: [
    {
      name: "secure_link",
      doc: "`1` when the link carries the right hash, `0` when it has expired; with secure_link_secret the link behind the hash.",
      isKept: true,
      get: value,
    },
    {
      name: "secure_link_expires",
      doc: "When the link expires, as it says, once $secure_link has been asked.",
      isKept: true,
      get: (request) => request.notes?.get(EXPIRES) as string | undefined,
    },
  ],
  // One kind of link displaces the other one that holds outside.
  merge: (merged, _outer, { own }) => {
    if (own.secure_link_secret !== undefined)
      return { ...merged, secure_link: own.secure_link, secure_link_md5: own.secure_link_md5 };
    if (merged.secure_link === undefined && merged.secure_link_md5 === undefined) return merged;
    return { ...merged, secure_link_secret: undefined };
  },
  check: (_conf, { scope, own }, report) => {
    const isMixed = own.secure_link_secret !== undefined && (own.secure_link ?? own.secure_link_md5) !== undefined;
    // What stands in http itself is only inherited, where the older kind gives way.
    if (isMixed && scope.context !== "http") report("emerg", MIXED, closingBrace(scope, "http"));
  },
  prepare: (conf, place): Check | undefined => {
    const { secure_link: link, secure_link_md5: hashed, secure_link_secret: secret } = conf;
    if (secret !== undefined) return { kind: "secret", secret };
    if (link === undefined || hashed === undefined) return undefined;
    return { kind: "hash", link: place.compile(link), hashed: place.compile(hashed) };
  },
});
