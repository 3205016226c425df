/**
 * Which virtual server a host belongs to: exact names, then the longest wildcard in front, the longest behind, then
 * regular expressions in their order. Counterpart in nginx: ngx_http_find_virtual_server.
 */
import type { VirtualServer } from "./location.ts";
import type { Request } from "./request.ts";
import type { Matcher } from "./variables.ts";

/** A `server_name` with the server that it stands in. */
export interface ServerName {
  /** Lower case; `*.example.org`, `.example.org`, `www.example.*`, or `~` and an expression. */
  readonly name: string;
  readonly server: VirtualServer;
  /** For a regular expression. */
  readonly matches: Matcher | undefined;
}

export class ServerNames {
  private readonly exact = new Map<string, VirtualServer>();
  /** Wildcards in front by what follows the star: `.example.org`. */
  private readonly tails = new Map<string, VirtualServer>();
  /** Wildcards behind by what precedes the star: `www.example.`. */
  private readonly heads = new Map<string, VirtualServer>();
  private readonly regexes: { readonly matches: Matcher; readonly server: VirtualServer }[] = [];

  /** Adds a name; false when another server of this address has it already. */
  add({ name, server, matches }: ServerName): boolean {
    if (matches !== undefined) {
      this.regexes.push({ matches, server });
      return true;
    }
    if (name.startsWith(".")) return this.put(this.exact, name.slice(1), server) && this.put(this.tails, name, server);
    if (name.startsWith("*.")) return this.put(this.tails, name.slice(1), server);
    if (name.endsWith(".*")) return this.put(this.heads, name.slice(0, -1), server);
    return this.put(this.exact, name, server);
  }

  private put(map: Map<string, VirtualServer>, key: string, server: VirtualServer): boolean {
    if (map.has(key)) return false;
    map.set(key, server);
    return true;
  }

  /** The server of a host (lower case, without port), undefined when no name matches. */
  find(request: Request, host: string): VirtualServer | undefined {
    const exact = this.exact.get(host);
    if (exact !== undefined) return exact;
    if (host === "") return undefined;
    if (this.tails.size > 0) {
      for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1)) {
        const server = this.tails.get(host.slice(dot));
        if (server !== undefined) return server;
      }
    }
    if (this.heads.size > 0) {
      for (let dot = host.lastIndexOf(".", host.length - 2); dot >= 0; dot = host.lastIndexOf(".", dot - 1)) {
        const server = this.heads.get(host.slice(0, dot + 1));
        if (server !== undefined) return server;
        if (dot === 0) break;
      }
    }
    for (const { matches, server } of this.regexes) if (matches(request, host)) return server;
    return undefined;
  }
}
