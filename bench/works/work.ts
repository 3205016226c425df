/** A work of the bench: what a server is configured for, what it is asked, and what that may cost next to nginx. */

/** What a configuration is written for. */
export interface Place {
  readonly port: number;
  readonly backEndPort: number;
  /** Text for the `events` block. */
  readonly events: string;
}

/** Requests that wrk sends. */
export interface WrkLoad {
  readonly kind: "wrk";
  readonly uri: string;
  readonly connections: number;
  /** A new connection for each request. */
  readonly isClosing?: boolean;
  /** POST with a body of so many bytes. */
  readonly bodyBytes?: number;
  /** Header lines of each request. */
  readonly headers?: readonly string[];
}

/** Messages on WebSocket connections, sent by our own generator. */
export interface EchoLoad {
  readonly kind: "echo";
  readonly connections: number;
  /** How many messages are on their way at a time; the connections take turns. */
  readonly inFlight: number;
  readonly messageBytes: number;
}

export interface Work {
  readonly name: string;
  readonly load: WrkLoad | EchoLoad;
  /** Who answers behind the server, on the processor of the load; undefined: nobody is needed. */
  readonly backEnd?: "nginx" | "echo";
  /** What the ratio of CPU time to nginx may be. */
  readonly goal: number;
  /** nginx.conf, for nginx and Tandem alike. */
  readonly nginx: (place: Place) => string;
  /** The same for haproxy, where it can do it. */
  readonly haproxy?: (place: Place) => string;
}

/** One worker; everything else as an operator would write it. */
export function nginxConfiguration({ events }: Place, http: string): string {
  return `
worker_processes 1;
worker_rlimit_nofile 30000;
events { worker_connections 20000; ${events} }
http {
  access_log logs/access.log combined buffer=64k;
  default_type text/plain;
  types { text/html html; }
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600;
  keepalive_requests 100000000;
  ${http}
}
`;
}

/** One thread, no log: haproxy writes none to a file. `rules` are lines of the frontend. */
export function haproxyConfiguration({ port, backEndPort }: Place, rules: string): string {
  return `
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend bench
  bind 127.0.0.1:${port} backlog 4096
  option forwardfor
${rules}
  default_backend behind
backend behind
  server one 127.0.0.1:${backEndPort}
`;
}
