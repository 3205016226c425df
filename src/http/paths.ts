/** From URIs to files: `root` and `alias`. Counterpart in nginx: ngx_http_map_uri_to_path. */
import type { Request } from "./request.ts";

/** The file that `uri` stands for in the request's location; undefined when `alias` can't say. */
export function mapPath(request: Request, uri: string): string | undefined {
  const { location } = request;
  const { alias } = location;
  if (alias !== 0 && !request.validLocation) {
    request.connection.logError(
      "alert",
      `"alias" cannot be used in location "${location.name}" where URI was rewritten`,
    );
    return undefined;
  }
  if (location.constantRoot !== undefined) return location.constantRoot + (alias > 0 ? uri.slice(alias) : uri);
  let root = location.root(request);
  if (!root.startsWith("/")) root = location.prefix + root;
  if (alias === -1) return request.addUriToAlias ? root + uri : root;
  return root + (alias > 0 ? uri.slice(alias) : uri);
}

/** The directory part that `$document_root` names. */
export function documentRoot(request: Request): string {
  const { location } = request;
  if (location.constantRoot !== undefined) return location.constantRoot;
  const root = location.root(request);
  return root.startsWith("/") ? root : location.prefix + root;
}
