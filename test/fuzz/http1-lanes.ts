/**
 * The web server under test, in several configurations side by side: a lane is a listening socket with logs of its own. What a
 * conversation has left in the logs is known when a request that came behind it, over a connection of its own, has been logged.
 */
import { closeSync, openSync, readSync, utimesSync, writeSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "../http-server.ts";
import type { Lanes } from "./differential.ts";
import { type Http1Case, LAST_REQUEST } from "./http1-cases.ts";
import { type Http1View, normaliseClient, normaliseErrors } from "./http1-views.ts";

/** Directives of each kind of lane; every kind has several lanes. */
const KINDS: readonly { readonly server: string; readonly main?: string }[] = [
  { server: "" },
  { server: "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;" },
  {
    server: `connection_pool_size 256; client_header_buffer_size 128; large_client_header_buffers 2 256;
      client_body_buffer_size 16; client_max_body_size 20;`,
  },
  { server: "keepalive_requests 2; lingering_close always; max_headers 6; client_body_in_single_buffer on; etag off;" },
  {
    server: "keepalive_timeout 0; lingering_close off; chunked_transfer_encoding off; client_body_in_file_only clean;",
  },
  {
    server: `error_page 400 405 413 494 /error; error_page 404 416 =200 /error; error_page 414 /error; error_page 505 =299 @named;
      location = /error { internal; return 200 "error $status $uri $request_method\\n"; } location @named { return 200 "named $uri\\n"; }`,
  },
  {
    server:
      "client_header_buffer_size 512; large_client_header_buffers 4 512; keepalive_timeout 10s 7s; reset_timedout_connection on;",
  },
];
const LANES_OF_A_KIND = 4;
export const LANES = KINDS.length * LANES_OF_A_KIND;

const CLIENT_TIMEOUT_MS = 6_000;
const ONE_READ_BYTES = 1024;
const PAUSE_MS = 12;
const END_PAUSE_MS = 60;
const LOG_TIMEOUT_MS = 5_000;
const LOG_STEP_MS = 2;

const FILES = {
  "html/static/a.txt": "0123456789abcdefghijklmnopqrstuvwxyz\n",
  "html/static/index.html": "index\n",
  "html/static/d/index.html": "d\n",
};
const MODIFIED_S = 1_700_000_000;

const SEEN =
  `$request_method $uri a=$args h=$host hh=$http_host p=$server_protocol cl=$content_length te=$http_transfer_encoding ru=$request_uri
 c=$http_cookie xa=$http_x_a s=$server_name`.replace("\n", "");
const LOGGED = `'"$request" $status $body_bytes_sent $bytes_sent $request_length $connection_requests "$request_completion" $request_method "$uri" '
  '"$args" "$http_host" "$host" $server_name $server_protocol "$content_length" "$content_type" "$http_transfer_encoding" "$http_x_a" '
  '"$request_body" "$request_uri" $sent_http_connection $http_user_agent'`;

/** Requests of the lane's own, in front of each of its servers. */
const places = (lane: number): string => `
  root %DIR%/html; access_log %DIR%/logs/access-${lane}.log seen; error_log %DIR%/logs/error-${lane}.log info;
  location / { return 200 "${SEEN}\\n"; }
  location = /sentinel { return 204; }
  location /static { }
  location /none { root %DIR%/none; }
  location /body { proxy_pass http://unix:%DIR%/inner:/; }
  location /stream { proxy_request_buffering off; proxy_pass http://unix:%DIR%/inner:/; }
  location /small { client_max_body_size 3; proxy_pass http://unix:%DIR%/inner:/; }
  location /store { mirror /mirrored; mirror_request_body on; return 201; }
  location = /mirrored { internal; return 204; }`;

const lane = (number: number): string => {
  const { server } = KINDS[number % KINDS.length] as (typeof KINDS)[number];
  const listen = `listen unix:%DIR%/${number}`;
  return `
  server { ${listen}; server_name fuzz; ${server} ${places(number)} }
  server { ${listen}; server_name other; underscores_in_headers on; merge_slashes off; ${server.includes("connection_pool") ? "" : "large_client_header_buffers 3 1k;"}
    ${places(number)} }
  server { ${listen}; server_name *.wild ~^re(?<digit>\\d)$; ${places(number)} }`;
};

/** Short times: what a server waits for in vain is a part of its answer. */
const configuration = `
  server_tokens off; log_format seen ${LOGGED}; default_type text/plain; access_log off; proxy_temp_path %DIR%/proxy;
  client_header_timeout 1200ms; client_body_timeout 800ms; keepalive_timeout 800ms; send_timeout 2s; lingering_timeout 300ms;
  lingering_time 2s; proxy_http_version 1.0; proxy_set_header X-Length $content_length;
  server { listen 127.0.0.1:%PORT%; return 204; }
  server { listen unix:%DIR%/inner; access_log off; error_log %DIR%/logs/inner.log; return 200 "inner cl=$content_length\\n"; }
  ${Array.from({ length: LANES }, (_, i) => lane(i)).join("\n")}`;

/** What was written to a file since the last look. */
class Tail {
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(64 * 1024);
  #offset = 0;

  constructor(file: string) {
    this.#descriptor = openSync(file, "r");
  }

  read(): string {
    let text = "";
    for (;;) {
      const count = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, this.#offset);
      if (count === 0) return text;
      this.#offset += count;
      text += this.#buffer.toString("latin1", 0, count);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** One program under test. */
export class Http1Lanes implements Lanes<Http1Case, Http1View> {
  readonly #server: TestServer;
  readonly #access: readonly Tail[];
  readonly #errors: readonly Tail[];
  readonly #alarms: string[] = [];
  #sentinels = 0;

  private constructor(server: TestServer) {
    this.#server = server;
    const tails = (kind: string): Tail[] =>
      Array.from({ length: LANES }, (_, i) => new Tail(path.join(server.folder, "logs", `${kind}-${i}.log`)));
    this.#access = tails("access");
    this.#errors = tails("error");
  }

  static async start(binary?: string): Promise<Http1Lanes> {
    const options = { files: FILES, ...(binary === undefined ? {} : { binary }) };
    const server = await TestServer.start(configuration, options);
    for (const name of Object.keys(FILES)) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
    return new Http1Lanes(server);
  }

  async stop(): Promise<void> {
    for (const tail of [...this.#access, ...this.#errors]) tail.close();
    await this.#server.stop();
  }

  get alarms(): readonly string[] {
    return this.#alarms;
  }

  async run(one: Http1Case): Promise<Http1View> {
    const socketPath = path.join(this.#server.folder, `${one.lane}`);
    const { text, fate } = await converse(socketPath, one);
    const access = await this.#accessUpTo(one.lane, socketPath);
    const errors = normaliseErrors((this.#errors[one.lane] as Tail).read(), this.#server.folder);
    this.#alarms.push(...errors.filter((line) => /^\[(alert|emerg)\]/.test(line)));
    return { client: normaliseClient(text, this.#server.folder), fate, access, errors };
  }

  /** Lines of the access log in front of a sentinel's. */
  async #accessUpTo(number: number, socketPath: string): Promise<string[]> {
    const target = `/sentinel?${++this.#sentinels}`;
    await ask(socketPath, `GET ${target} HTTP/1.0\r\nHost: fuzz\r\n\r\n`);
    const tail = this.#access[number] as Tail;
    let text = tail.read();
    // A line may be seen before all of it is there.
    const isLogged = (): boolean => text.includes(`"GET ${target} `) && text.endsWith("\n");
    for (let waited = 0; !isLogged(); waited += LOG_STEP_MS) {
      if (waited > LOG_TIMEOUT_MS) throw new Error(`lane ${number}: a request is not logged: ${text}`);
      await sleep(LOG_STEP_MS);
      text += tail.read();
    }
    return text.split("\n").filter((line) => line !== "" && !line.includes(" /sentinel?"));
  }
}

function ask(socketPath: string, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath, () => socket.write(bytes));
    socket.on("data", () => {});
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}

/** Writes without the stream's help: it forgets what it has not read yet when a write fails. False when the other end is closed. */
function send(socket: net.Socket, text: string): boolean {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  try {
    return writeSync(fd, text, null, "latin1") === text.length;
  } catch {
    return false;
  }
}

interface Conversation {
  readonly text: string;
  readonly fate: Http1View["fate"];
}

function converse(socketPath: string, one: Http1Case): Promise<Conversation> {
  const bytes = one.pieces.join("") + (one.ending === "last" ? LAST_REQUEST : "");
  const cuts = [0, ...one.cuts.map((part) => Math.floor(part * bytes.length)), bytes.length];
  const isWhole = cuts.length === 2 && !one.dribbled && one.ending === "last" && bytes.length < ONE_READ_BYTES;
  return new Promise((resolve) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: true });
    let text = "";
    let isOver = false;
    const done = (fate: Http1View["fate"]): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, fate });
    };
    const timer = setTimeout(() => done("open"), CLIENT_TIMEOUT_MS);
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("end", () => done("closed"));
    // Whether there were unread bytes is chance unless all were sent at once, and could be read at once.
    socket.on("error", () => done(isWhole ? "reset" : "closed"));
    socket.on("connect", async () => {
      if (one.dribbled) {
        for (const byte of bytes) {
          if (isOver) return;
          if (!send(socket, byte)) return;
          await sleep(1);
        }
      } else
        for (const [i, cut] of cuts.entries()) {
          if (i === 0) continue;
          if (i > 1) await sleep(PAUSE_MS);
          if (isOver || !send(socket, bytes.slice(cuts[i - 1], cut))) return;
        }
      if (one.ending !== "half") return;
      // What is answered at once is answered before the end comes: otherwise it were chance.
      await sleep(END_PAUSE_MS);
      if (!isOver) socket.end();
    });
  });
}
