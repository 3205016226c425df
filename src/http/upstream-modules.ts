/** The modules whose upstreams' answers are kept: their caches and their folders, for who opens and makes them. */
import type { Scope } from "../conf/scope.ts";
import type { CacheLine } from "./cache-directives.ts";
import { fastcgi } from "./modules/fastcgi.ts";
import { proxy } from "./modules/proxy.ts";
import { scgi } from "./modules/scgi.ts";
import { uwsgi } from "./modules/uwsgi.ts";

/** The caches of an http block. */
export function cacheLinesOf(http: Scope): readonly CacheLine[] {
  return [
    ...http.conf(proxy).proxy_cache_path,
    ...http.conf(fastcgi).fastcgi_cache_path,
    ...http.conf(uwsgi).uwsgi_cache_path,
    ...http.conf(scgi).scgi_cache_path,
  ];
}

/** Folders that are written to, of one scope. */
export function upstreamFolders(scope: Scope): readonly ({ readonly path: string } | undefined)[] {
  return [
    scope.conf(proxy).proxy_temp_path,
    scope.conf(fastcgi).fastcgi_temp_path,
    scope.conf(uwsgi).uwsgi_temp_path,
    scope.conf(scgi).scgi_temp_path,
    ...(scope.own(proxy).proxy_cache_path ?? []),
    ...(scope.own(fastcgi).fastcgi_cache_path ?? []),
    ...(scope.own(uwsgi).uwsgi_cache_path ?? []),
    ...(scope.own(scgi).scgi_cache_path ?? []),
  ];
}
