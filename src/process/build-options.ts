/** What `nginx -V` says was built in: derived from the directives that are really there. */
import type { Catalog } from "../conf/catalog.ts";

/** Modules that nginx builds unless told not to, each with a directive that only it has. */
const DEFAULT_MODULES: Readonly<Record<string, string>> = {
  http_charset_module: "charset",
  http_gzip_module: "gzip",
  http_ssi_module: "ssi",
  http_userid_module: "userid",
  http_access_module: "allow",
  http_auth_basic_module: "auth_basic",
  http_mirror_module: "mirror",
  http_autoindex_module: "autoindex",
  http_geo_module: "geo",
  http_map_module: "map",
  http_split_clients_module: "split_clients",
  http_referer_module: "valid_referers",
  http_rewrite_module: "rewrite",
  http_proxy_module: "proxy_pass",
  http_fastcgi_module: "fastcgi_pass",
  http_uwsgi_module: "uwsgi_pass",
  http_scgi_module: "scgi_pass",
  http_grpc_module: "grpc_pass",
  http_tunnel_module: "tunnel_pass",
  http_memcached_module: "memcached_pass",
  http_limit_conn_module: "limit_conn",
  http_limit_req_module: "limit_req",
  http_empty_gif_module: "empty_gif",
  http_browser_module: "modern_browser",
  http_upstream_hash_module: "hash",
  http_upstream_ip_hash_module: "ip_hash",
  http_upstream_least_conn_module: "least_conn",
  http_upstream_least_time_module: "least_time",
  http_upstream_random_module: "random",
  http_upstream_keepalive_module: "keepalive",
  http_upstream_zone_module: "zone",
  http_upstream_sticky_module: "sticky",
};

/** The same of stream: built whenever stream itself is. */
const DEFAULT_STREAM_MODULES: Readonly<Record<string, string>> = {
  stream_limit_conn_module: "limit_conn",
  stream_access_module: "allow",
  stream_geo_module: "geo",
  stream_map_module: "map",
  stream_split_clients_module: "split_clients",
  stream_return_module: "return",
  stream_pass_module: "pass",
  stream_set_module: "set",
  stream_upstream_hash_module: "hash",
  stream_upstream_least_conn_module: "least_conn",
  stream_upstream_least_time_module: "least_time",
  stream_upstream_random_module: "random",
  stream_upstream_zone_module: "zone",
};

/** Modules of stream that nginx builds when asked to. */
const OPTIONAL_STREAM_MODULES: Readonly<Record<string, string>> = {
  stream_ssl_module: "ssl_certificate",
  stream_realip_module: "set_real_ip_from",
  stream_ssl_preread_module: "ssl_preread",
};

/** Modules that nginx builds when asked to. */
const OPTIONAL_MODULES: Readonly<Record<string, string>> = {
  http_ssl_module: "ssl_certificate",
  http_v2_module: "http2",
  http_v3_module: "http3",
  http_realip_module: "set_real_ip_from",
  http_addition_module: "add_before_body",
  http_sub_module: "sub_filter",
  http_dav_module: "dav_methods",
  http_flv_module: "flv",
  http_mp4_module: "mp4",
  http_gunzip_module: "gunzip",
  http_gzip_static_module: "gzip_static",
  http_auth_request_module: "auth_request",
  http_random_index_module: "random_index",
  http_secure_link_module: "secure_link",
  http_slice_module: "slice",
  http_stub_status_module: "stub_status",
  stream: "stream",
  mail: "mail",
};

/** The arguments that nginx would have been configured with to have the same modules. */
export function configureArguments(catalog: Catalog, prefix: string): string {
  const isThere = (directive: string, isStreams: boolean): boolean =>
    (catalog.declarations.get(directive) ?? []).some(({ contexts }) =>
      contexts.some((context) => /^stream\b/.test(context) === isStreams),
    );
  const has = (directive: string): boolean => isThere(directive, false);
  const hasInStream = (directive: string): boolean => isThere(directive, true);
  const streamDefaults = has("stream") ? Object.entries(DEFAULT_STREAM_MODULES) : [];
  const without = [
    ...Object.entries(DEFAULT_MODULES).filter(([, directive]) => !has(directive)),
    ...streamDefaults.filter(([, directive]) => !hasInStream(directive)),
  ];
  const including = [
    ...Object.entries(OPTIONAL_MODULES).filter(([, directive]) => has(directive)),
    ...Object.entries(OPTIONAL_STREAM_MODULES).filter(([, directive]) => hasInStream(directive)),
  ];
  const list = [
    `--prefix=${prefix.replace(/(.)\/$/, "$1")}`,
    ...including.map(([name]) => `--with-${name}`),
    ...(has("proxy_cache") ? [] : ["--without-http-cache"]),
    ...without.map(([name]) => `--without-${name}`),
  ];
  return list.map((word) => ` ${word}`).join("");
}
