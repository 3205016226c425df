/** Fields of WebDAV requests, RFC 4918 §10, read as nginx reads them: Depth, Destination, Overwrite. */

export const INFINITE_DEPTH = -1;

/** `0`, `1` or `infinity` (-1); undefined for anything else. nginx compares case. */
export function parseDepth(text: string): number | undefined {
  if (text === "0") return 0;
  if (text === "1") return 1;
  return text === "infinity" ? INFINITE_DEPTH : undefined;
}

/** `T` or `F` in either case. */
export function parseOverwrite(text: string): boolean | undefined {
  if (text === "T" || text === "t") return true;
  return text === "F" || text === "f" ? false : undefined;
}

/** Why a Destination leads nowhere. */
export type BadDestination = "invalid" | "no host" | "foreign";

/**
 * The path and query of a Destination: a path, or a URI of this scheme (`http`) and of the host that the request was for. What
 * stands between that host and the path (a port) is skipped.
 */
export function parseDestination(
  text: string,
  scheme: string,
  host: string,
): { readonly ok: true; readonly path: string } | { readonly ok: false; readonly reason: BadDestination } {
  if (text.startsWith("/")) return { ok: true, path: text };
  if (host === "") return { ok: false, reason: "no host" };
  const prefix = `${scheme}://`;
  if (!text.startsWith(prefix)) return { ok: false, reason: "invalid" };
  if (!text.startsWith(host, prefix.length)) return { ok: false, reason: "foreign" };
  const slash = text.indexOf("/", prefix.length + host.length);
  return slash < 0 ? { ok: false, reason: "invalid" } : { ok: true, path: text.slice(slash) };
}
