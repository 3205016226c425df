/** What a server fetches from a back end. */
import { haproxyConfiguration, nginxConfiguration, type Place, type Work } from "./work.ts";

/** nginx as the back end: files of 1 KB and 1 MB, a short answer to everything else, request bodies thrown away. */
export const backEndConfiguration = (port: number): string => `
worker_processes 1;
events { worker_connections 4000; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  keepalive_timeout 600;
  client_max_body_size 1m;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 "hello from behind\\n"; }
    location = /1m.html { root html; }
  }
}
`;

const upstream = ({ backEndPort }: Place): string =>
  `upstream behind { server 127.0.0.1:${backEndPort}; keepalive 128; keepalive_requests 100000000; }`;

/** HTTP/1.1 with kept connections is said aloud: before 1.29.7 it was not nginx's default. */
const FORWARD = `
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`;

const plain = (place: Place, more = ""): string =>
  nginxConfiguration(
    place,
    `${upstream(place)}
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    location / { ${FORWARD} ${more} }
  }`,
  );

const plainHaproxy = (place: Place): string => haproxyConfiguration(place, "");

const REQUEST_RULES = ["X-Real-IP $remote_addr", "X-Forwarded-Proto $scheme", "X-Forwarded-Host $http_host"];
const RESPONSE_RULES = [
  "X-Frame-Options SAMEORIGIN",
  "X-Content-Type-Options nosniff",
  "Referrer-Policy no-referrer",
  "Cache-Control no-store",
];
/** Header rules beside Host, X-Forwarded-For, Connection and what is named above: twenty in all. */
const numbered = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Twenty header rules, a map, a location by regular expression and a limit that lets everything through. */
const ruled = (place: Place): string =>
  nginxConfiguration(
    place,
    `limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  map $http_user_agent $client_kind { default other; ~*bot robot; ~*wrk load; "" none; }
  ${upstream(place)}
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    location = / { return 404; }
    location ~ \\.php$ { return 404; }
    location ~ ^/api/v(?<version>\\d+)/(.+)$ {
      limit_req zone=clients burst=1000000 nodelay;
      ${FORWARD}
      ${REQUEST_RULES.map((rule) => `proxy_set_header ${rule};`).join("\n      ")}
      proxy_set_header X-Client $client_kind;
      proxy_set_header X-Version $version;
      ${numbered(3)
        .map((n) => `proxy_set_header X-Request-${n} value-${n};`)
        .join("\n      ")}
      ${RESPONSE_RULES.map((rule) => `add_header ${rule};`).join("\n      ")}
      ${numbered(3)
        .map((n) => `add_header X-Response-${n} value-${n};`)
        .join("\n      ")}
      proxy_hide_header X-Powered-By;
      proxy_hide_header X-Runtime;
    }
  }`,
  );

const ruledHaproxy = (place: Place): string =>
  haproxyConfiguration(
    place,
    `  stick-table type ip size 100k expire 60s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 503 if { sc_http_req_rate(0) gt 100000000 }
  http-request deny deny_status 404 if !{ path_reg ^/api/v[0-9]+/(.+)$ }
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Client other
  http-request set-header X-Client load if { hdr_sub(user-agent) -i wrk }
  http-request set-header X-Version %[path,field(3,/)]
${numbered(3)
  .map((n) => `  http-request set-header X-Request-${n} value-${n}`)
  .join("\n")}
${RESPONSE_RULES.map((rule) => `  http-response set-header ${rule}`).join("\n")}
${numbered(3)
  .map((n) => `  http-response set-header X-Response-${n} value-${n}`)
  .join("\n")}
  http-response del-header X-Powered-By
  http-response del-header X-Runtime`,
  );

const tunnelling = (place: Place): string =>
  nginxConfiguration(
    place,
    `map $http_upgrade $connection_upgrade { default upgrade; "" close; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    location / {
      proxy_pass http://127.0.0.1:${place.backEndPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 600;
    }
  }`,
  );

const KB = 1024;

export const PROXY_WORKS: readonly Work[] = [
  {
    name: "proxy, small response, keep-alive upstream",
    load: { kind: "wrk", uri: "/proxied", connections: 64 },
    backEnd: "nginx",
    goal: 1.0,
    nginx: plain,
    haproxy: plainHaproxy,
  },
  {
    name: "proxy, 20 header rules, map, regex location, limit_req",
    load: { kind: "wrk", uri: "/api/v1/things?page=2", connections: 64 },
    backEnd: "nginx",
    goal: 1.0,
    nginx: ruled,
    haproxy: ruledHaproxy,
  },
  {
    name: "proxy, 1 MB response",
    load: { kind: "wrk", uri: "/1m.html", connections: 64 },
    backEnd: "nginx",
    goal: 1.1,
    nginx: plain,
    haproxy: plainHaproxy,
  },
  {
    name: "proxy, POST 64 KB",
    load: { kind: "wrk", uri: "/form", connections: 64, bodyBytes: 64 * KB },
    backEnd: "nginx",
    goal: 1.1,
    nginx: (place) => plain(place, "client_body_buffer_size 128k;"),
    haproxy: plainHaproxy,
  },
  {
    name: "proxy, POST 64 KB, unbuffered",
    load: { kind: "wrk", uri: "/form", connections: 64, bodyBytes: 64 * KB },
    backEnd: "nginx",
    goal: 1.1,
    nginx: (place) => plain(place, "proxy_request_buffering off;"),
    haproxy: plainHaproxy,
  },
  {
    name: "WebSocket echo, 1,000 connections",
    load: { kind: "echo", connections: 1000, inFlight: 64, messageBytes: 64 },
    backEnd: "echo",
    goal: 1.1,
    nginx: tunnelling,
    haproxy: plainHaproxy,
  },
];
