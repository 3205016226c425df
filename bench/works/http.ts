/** What a server answers by itself. */
import { nginxConfiguration, type Place, type Work } from "./work.ts";

const nginx = (place: Place): string =>
  nginxConfiguration(
    place,
    `server {
    listen 127.0.0.1:${place.port} backlog=4096;
    root html;
    location = /ok { return 200 "hello from the other side\\n"; }
  }`,
  );

/** What a location of an API has: a pattern, a map, a limit that lets everything through, header lines. */
const api = (place: Place): string =>
  nginxConfiguration(
    place,
    `limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;
  map $http_user_agent $client_kind { default other; ~*bot robot; ~*wrk load; "" none; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    location ~ ^/api/v(?<version>\\d+)/(.+)$ {
      limit_req zone=clients burst=1000000 nodelay;
      add_header X-Frame-Options SAMEORIGIN;
      add_header X-Content-Type-Options nosniff;
      add_header X-Version $version;
      add_header X-Client $client_kind;
      add_header Cache-Control no-store;
      return 200 "hello from the other side\\n";
    }
  }`,
  );

const compressing = (place: Place): string =>
  nginxConfiguration(
    place,
    `gzip on;
  gzip_comp_level 1;
  gzip_types application/json;
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    root html;
    location /64k.json { default_type application/json; }
  }`,
  );

export const HTTP_WORKS: readonly Work[] = [
  { name: "return 200", load: { kind: "wrk", uri: "/ok", connections: 64 }, goal: 1.0, nginx },
  { name: "1 KB file", load: { kind: "wrk", uri: "/1k.html", connections: 64 }, goal: 1.0, nginx },
  { name: "1 MB file", load: { kind: "wrk", uri: "/1m.html", connections: 64 }, goal: 1.0, nginx },
  {
    name: "new connection per request",
    load: { kind: "wrk", uri: "/ok", connections: 64, isClosing: true },
    goal: 1.1,
    nginx,
  },
  {
    name: "regex location, map, limit_req, five add_header",
    load: { kind: "wrk", uri: "/api/v1/things?page=2", connections: 64 },
    goal: 1.0,
    nginx: api,
  },
  {
    name: "gzip level 1 of 64 KB of JSON",
    load: { kind: "wrk", uri: "/64k.json", connections: 64, headers: ["Accept-Encoding: gzip"] },
    goal: 1.05,
    nginx: compressing,
  },
];
