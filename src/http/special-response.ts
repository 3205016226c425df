/** The pages that nginx answers errors and redirects with, byte for byte. nginx: ngx_http_special_response.c. */
import { type Bytes, fromLatin1 } from "../base/bytes.ts";
import { NGINX_VERSION } from "../base/version.ts";
import { statusText } from "../wire/http1/status.ts";
import { escapeUri } from "../wire/http1/uri.ts";

export type ServerTokens = "on" | "off" | "build";

/** What the Server field and the foot of an error page say. */
export function serverToken(tokens: ServerTokens): string {
  return tokens === "off" ? "nginx" : `nginx/${NGINX_VERSION}`;
}

/** Heads that differ from the status line. */
const TITLES: Readonly<Record<number, string>> = {
  302: "302 Found",
  401: "401 Authorization Required",
  498: "404 Not Found",
  494: "400 Request Header Or Cookie Too Large",
  495: "400 The SSL certificate error",
  496: "400 No required SSL certificate was sent",
  497: "400 The plain HTTP request was sent to HTTPS port",
};
/** A second line of some pages. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  494: "Request Header Or Cookie Too Large",
  495: "The SSL certificate error",
  496: "No required SSL certificate was sent",
  497: "The plain HTTP request was sent to HTTPS port",
};
const WITH_PAGE: ReadonlySet<number> = new Set([
  301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 421,
  429, 494, 495, 496, 497, 498, 500, 501, 502, 503, 504, 505, 507,
]);

const PADDING = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n".repeat(6);

/** The page of a status, undefined when it has none. `padded` for browsers that hide short pages. */
export function errorPage(status: number, tokens: ServerTokens, padded: boolean): string | undefined {
  if (!WITH_PAGE.has(status)) return undefined;
  const title = TITLES[status] ?? statusText(status);
  const explanation = EXPLANATIONS[status];
  const heading = explanation === undefined ? title : statusText(400);
  return (
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${heading}</h1></center>\r\n` +
    (explanation === undefined ? "" : `<center>${explanation}</center>\r\n`) +
    `<hr><center>${serverToken(tokens)}</center>\r\n</body>\r\n</html>\r\n` +
    (padded && status >= 400 ? PADDING : "")
  );
}

/** Pages as bytes, made when first asked for. */
export class ErrorPages {
  private readonly pages = new Map<string, Bytes | undefined>();

  get(status: number, tokens: ServerTokens, padded: boolean): Bytes | undefined {
    const key = `${status} ${tokens} ${padded}`;
    if (this.pages.has(key)) return this.pages.get(key);
    const page = errorPage(status, tokens, padded);
    const bytes = page === undefined ? undefined : fromLatin1(page);
    if (this.pages.size < MAX_PAGES) this.pages.set(key, bytes);
    return bytes;
  }
}
/** Statuses are three digits, tokens three words: this is never reached, and is the bound all the same. */
const MAX_PAGES = 6000;

/** The page that stands for a redirect with `msie_refresh`. */
export function refreshPage(location: string): string {
  const target = escapeUri(location, "refresh");
  return `<html><head><meta http-equiv="Refresh" content="0; URL=${target}"></head><body></body></html>\r\n`;
}
