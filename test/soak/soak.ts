/** A worker under mixed traffic for a while: what its memory and its descriptors do. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { freePort, openFiles, ServerProcess, TANDEM_NGINX } from "../support/server-process.ts";
import { type Slope, slopeOf } from "./slope.ts";
import { Traffic } from "./traffic.ts";

export interface SoakOptions {
  readonly seconds: number;
  /** Seconds at the beginning that don't count: code is compiled, pools and caches fill. */
  readonly warmUpSeconds: number;
  readonly sampleSeconds: number;
  readonly clientsOfAKind: number;
  readonly pauseMs: number;
}

export interface SoakSample {
  readonly atS: number;
  readonly residentKb: number;
  readonly heapKb: number;
  readonly descriptors: number;
}

export interface SoakResult {
  readonly counts: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
  /** KiB a minute. */
  readonly resident: Slope;
  readonly heap: Slope;
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  /** Lines of the error log that must not be there. */
  readonly alarms: readonly string[];
  readonly workerSurvived: boolean;
}

const RECORDER = new URL("./heap-recorder.js", import.meta.url).href;
/** Connections to the back end that a worker may still keep. */
const SETTLE_MS = 3_000;

const configuration = (port: number, origin: string): string => `
daemon off; worker_processes 1; pid logs/nginx.pid; error_log logs/error.log warn;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 4000; }
http {
  access_log logs/access.log combined buffer=32k; types { text/html html; }
  proxy_temp_path proxy; client_body_temp_path body; sendfile on;
  client_header_timeout 5s; client_body_timeout 5s; keepalive_requests 200; gzip on; gzip_min_length 100;
  limit_req_zone $binary_remote_addr zone=all:1m rate=1000000r/s;
  map $http_user_agent $agent { default other; ~*curl curl; }
  upstream origin { server ${origin} max_fails=0; keepalive 8; keepalive_requests 100; keepalive_timeout 2s; }
  server {
    listen 127.0.0.1:${port}; limit_req zone=all burst=1000000 nodelay;
    location / { proxy_pass http://origin; proxy_set_header X-Agent $agent; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }
    location /files/ { alias files/; }
    location /upgrade { proxy_pass http://origin; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
    location /drop { proxy_pass http://origin; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
  }
  server { listen 127.0.0.1:${port}; server_name tunnel; tunnel_pass ${origin}; }
}`;

/** Runs the soak; `onSample` hears each sample as it is taken. */
export async function soak(options: SoakOptions, onSample: (sample: SoakSample) => void): Promise<SoakResult> {
  const origin = new Worker(new URL("../support/origin-thread.js", import.meta.url));
  const address = await new Promise<string>((resolve, reject) => origin.once("message", resolve).once("error", reject));
  const port = await freePort();
  // Beside the server's own folder: a recorder in its processes writes there.
  const records = mkdtempSync(path.join(os.tmpdir(), "soak-"));
  const recorder = `${RECORDER}?${encodeURIComponent(records)}`;
  const program = [process.execPath, "--expose-gc", "--import", recorder, ...TANDEM_NGINX];
  const server = new ServerProcess(program, configuration(port, address));
  try {
    mkdirSync(server.file("files"));
    writeFileSync(server.file("files/large.bin"), Buffer.alloc(1_048_576, "large "));
    writeFileSync(server.file("files/page.html"), "<p>page</p>\n".repeat(2000));
    await server.start("-c", "conf/nginx.conf", "-e", "logs/error.log");
    const [worker = 0] = server.workers();
    const descriptorsBefore = openFiles(worker);
    const traffic = new Traffic(port, options.clientsOfAKind, options.pauseMs);
    const samples: SoakSample[] = [];
    const begun = performance.now();
    for (;;) {
      await sleep(options.sampleSeconds * 1000);
      const atS = (performance.now() - begun) / 1000;
      const sample = { atS, ...memoryOf(records, worker), descriptors: openFiles(worker) };
      samples.push(sample);
      onSample(sample);
      if (atS >= options.seconds) break;
    }
    await traffic.stop();
    await sleep(SETTLE_MS);
    const steady = samples.filter(({ atS }) => atS >= options.warmUpSeconds);
    const workerSurvived = server.workers().includes(worker);
    return {
      counts: traffic.counts,
      failures: traffic.failures,
      resident: slopeOf(steady.map(({ atS, residentKb }) => [atS / 60, residentKb])),
      heap: slopeOf(steady.map(({ atS, heapKb }) => [atS / 60, heapKb])),
      descriptorsBefore,
      descriptorsAfter: workerSurvived ? openFiles(worker) : 0,
      alarms: server.log.split("\n").filter((line) => /\[(alert|crit|emerg)\]/.test(line)),
      workerSurvived,
    };
  } finally {
    server.destroy();
    rmSync(records, { recursive: true, force: true });
    await origin.terminate();
  }
}

/** Resident memory of a process, and what its recorder has found on the heap. */
function memoryOf(records: string, pid: number): { readonly residentKb: number; readonly heapKb: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const heap = path.join(records, `heap-${pid}`);
  return {
    residentKb: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]),
    heapKb: existsSync(heap) ? Number(readFileSync(heap, "latin1")) / 1024 : Number.NaN,
  };
}
