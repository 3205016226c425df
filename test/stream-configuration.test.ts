/** What is said of a stream block that is wrong: nginx's words, with file and line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bind } from "../src/conf/bind.ts";
import { Diagnostics, printDiagnostic } from "../src/conf/diagnostics.ts";
import { parse } from "../src/conf/nginx/parser.ts";
import { planStream } from "../src/stream/plan.ts";
import { testCatalog } from "./support/nginx-catalog.ts";

/** What is said of a stream block whose lines are these, from line 2 of /nginx.conf on; `http` stands behind it. */
function said(stream: string, http = ""): readonly string[] {
  const { catalog, variables } = testCatalog();
  const text = `stream {\n${stream}\n}\nevents { }\nhttp { ${http} }\n`;
  const { main, diagnostics } = bind([parse(text, { file: "/nginx.conf" })], catalog, {
    prefix: "/",
    confPrefix: "/",
    ...variables,
    lookUp: (host) => (host === "known.example" ? [Uint8Array.of(192, 0, 2, 1)] : undefined),
  });
  const found = new Diagnostics();
  for (const diagnostic of diagnostics) found.add(diagnostic);
  planStream(main, (severity, message, position) => found.report(severity, message, position));
  return found.list.map(printDiagnostic);
}

const server = (lines: string): string => `server { listen 127.0.0.1:81; ${lines} }`;

test("a sound block is taken without a word", () => {
  const block = `
    log_format l '$remote_addr $status';
    access_log logs/s.log l buffer=4k flush=1s if=$kind;
    error_log logs/e.log info;
    resolver 127.0.0.1 valid=1s; resolver_timeout 1s;
    map $server_port $kind { 81 a; default b; }
    geo $where { default far; 127.0.0.0/8 near; }
    split_clients $remote_addr $share { 50% a; * b; }
    limit_conn_zone $binary_remote_addr zone=c:64k;
    upstream u { zone u 64k; hash $remote_addr consistent; server 127.0.0.1:1 weight=2 max_fails=0 max_conns=3 down; server known.example:2 resolve; }
    upstream v { least_time connect inflight; server unix:/v slow_start=1s; server 127.0.0.1:1 backup; }
    upstream w { random two least_time=first_byte; server 127.0.0.1:1; }
    server { listen 80 default_server backlog=10 so_keepalive=on reuseport proxy_protocol; listen unix:/s; proxy_pass u; proxy_bind $remote_addr transparent; proxy_upload_rate 1k; proxy_download_rate $share;
      allow 127.0.0.1; deny all; limit_conn c 1; limit_conn_dry_run on; set_real_ip_from unix:; ssl_preread on; preread_buffer_size 1k; }
    server { listen 81; proxy_pass $kind; set $own 1; }
    server { listen 82-83; return $own; tcp_nodelay off; }`;
  assert.deepEqual(said(block), []);
});

test("what is wrong is said in nginx's words", () => {
  const cases: Record<string, string> = {
    "server { }": 'no "listen" is defined for server',
    "server { listen 127.0.0.1; }": 'no port in "127.0.0.1" of the "listen" directive',
    "server { listen 80 udp; }": 'the "udp" parameter of the "listen" directive is not supported',
    "server { listen 80 ssl; }": 'the "ssl" parameter of the "listen" directive is not supported',
    "server { listen 80 http2; }": 'invalid parameter "http2"',
    "server { listen 80; } server { listen 80 default_server; } server { listen 80 default_server; }":
      "a duplicate default server for 0.0.0.0:80",
    "server { listen 81; server_name a b; return x; } server { listen 81; server_name b; return y; }":
      '[warn] conflicting server name "b" on 0.0.0.0:81, ignored',
    [server("server_name a*b;")]: 'invalid server name or wildcard "a*b"',
    [server("proxy_pass u:1;")]: 'host not found in upstream "u"',
    [server("proxy_pass known.example;")]: 'no port in upstream "known.example"',
    [server("proxy_pass 127.0.0.1:0;")]: 'invalid port in upstream "127.0.0.1:0"',
    [`upstream u { server 127.0.0.1:1; } ${server("proxy_pass u:1;")}`]: 'upstream "u" may not have port 1',
    [server("proxy_pass $nothing;")]: 'unknown "nothing" variable',
    [server("proxy_pass $host:1;")]: 'unknown "host" variable',
    [server("set $status 1;")]: 'the duplicate "status" variable',
    [server("set status 1;")]: 'invalid variable name "status"',
    [server("return a; return b;")]: '"return" directive is duplicate',
    [server("proxy_upload_rate x;")]: '"proxy_upload_rate" directive invalid value',
    [server("proxy_protocol v3;")]: 'invalid value "v3"',
    [server("access_log logs/s.log;")]: "log format is not specified",
    [server("access_log logs/s.log combined;")]: 'unknown log format "combined"',
    [server("location / { }")]: '"location" directive is not allowed here',
    [server("proxy_ssl on;")]: 'unknown directive "proxy_ssl"',
    "upstream u { }": "no servers are inside upstream",
    "upstream u { server 127.0.0.1; }": 'no port in upstream "127.0.0.1"',
    "upstream u { server 127.0.0.1:1 route=a; }": 'invalid parameter "route=a"',
    "upstream u { server 127.0.0.1:1; ip_hash; }": '"ip_hash" directive is not allowed here',
    "upstream u { server 127.0.0.1:1; least_time header; }": 'invalid value "header"',
    "upstream u { server 127.0.0.1:1 backup; }": 'no servers in upstream "u"',
    "upstream u { server known.example:1 resolve; }": "resolving names at run time requires upstream",
    "upstream u { hash a; server 127.0.0.1:1; server 127.0.0.1:2 backup; }":
      'balancing method does not support parameter "backup"',
    "geo $g { proxy 127.0.0.1; }": 'invalid network "proxy"',
    "limit_conn_zone $remote_addr zone=a:64k; upstream u { zone a 64k; server 127.0.0.1:1; }":
      'the shared memory zone "a" is already declared for a different use',
  };
  for (const [text, message] of Object.entries(cases)) {
    const [first = "nothing was said", ...others] = said(text);
    assert.ok(first.includes(message), `${text}\n${first}`);
    assert.deepEqual(others, [], text);
  }
});

test("a variable belongs to the service that has or defines it", () => {
  const own = "map $remote_addr $here { default a; }";
  const [unknown = ""] = said(server("return $here;"), own);
  assert.match(unknown, /unknown "here" variable in \/nginx\.conf:2/);
  assert.match(said("", "server { return 200 $protocol; }")[0] ?? "", /unknown "protocol" variable/);
  assert.deepEqual(said(`${own} ${server("return $here;")}`, "server { set $protocol x; return 200 $protocol; }"), []);
  assert.match(
    said("upstream u { zone z 64k; server 127.0.0.1:1; }", "upstream u { zone z 64k; server 127.0.0.1:1; }")[0] ?? "",
    /zone "z" is already declared/,
  );
});
