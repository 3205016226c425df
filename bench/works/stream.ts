/** What a server passes on as it comes: TCP by nginx's stream, haproxy's mode tcp. */
import type { Place, Work } from "./work.ts";

const stream = ({ port, backEndPort, events }: Place): string => `
worker_processes 1;
worker_rlimit_nofile 30000;
events { worker_connections 20000; ${events} }
stream {
  log_format session '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time';
  access_log logs/access.log session buffer=64k;
  upstream behind { server 127.0.0.1:${backEndPort}; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_pass behind;
  }
}
`;

const haproxy = ({ port, backEndPort }: Place): string => `
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend bench
  bind 127.0.0.1:${port} backlog 4096
  default_backend behind
backend behind
  server one 127.0.0.1:${backEndPort}
`;

export const STREAM_WORKS: readonly Work[] = [
  {
    name: "stream, small responses through kept connections",
    load: { kind: "wrk", uri: "/passed", connections: 64 },
    backEnd: "nginx",
    goal: 1.0,
    nginx: stream,
    haproxy,
  },
  {
    name: "stream, 1 MB responses",
    load: { kind: "wrk", uri: "/1m.html", connections: 64 },
    backEnd: "nginx",
    goal: 1.0,
    nginx: stream,
    haproxy,
  },
  {
    name: "stream, a new session per request",
    load: { kind: "wrk", uri: "/passed", connections: 64, isClosing: true },
    backEnd: "nginx",
    goal: 1.0,
    nginx: stream,
    haproxy,
  },
  {
    name: "stream echo, 1,000 connections",
    load: { kind: "echo", connections: 1000, inFlight: 64, messageBytes: 64 },
    backEnd: "echo",
    goal: 1.0,
    nginx: stream,
    haproxy,
  },
];
