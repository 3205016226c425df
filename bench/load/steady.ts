/**
 * `node steady.js PORT PATH REQUESTS_PER_SECOND SECONDS WARM_UP_SECONDS CONNECTIONS`: asks at a steady rate, whatever the server does
 * (open loop). A request's latency counts from the instant when it was due, also when no connection was free then: a server
 * that stalls is charged for everything that came due meanwhile ("coordinated omission" left out). Prints one line of JSON.
 */
import { writeLatin1 } from "../../src/base/bytes.ts";
import { allocateMemory } from "../../src/os/memory.ts";
import { Histogram } from "./histogram.ts";
import { LoadLoop } from "./loop.ts";

/** What the program prints. */
export interface SteadyResult {
  readonly asked: number;
  /** Not answered with a status below 400, or not at all. */
  readonly failed: number;
  readonly latency: ReturnType<Histogram["toJSON"]>;
  /** How late requests left because this program itself was late. */
  readonly lateness: ReturnType<Histogram["toJSON"]>;
}

const GRACE_MS = 5_000;
const [port = 0, , rate = 0, seconds = 0, warmUpSeconds = 0, connections = 0] = process.argv.slice(2).map(Number);
const path = process.argv[3] as string;

const loop = new LoadLoop();
const latency = new Histogram();
const lateness = new Histogram();
const request = allocateMemory(4096);
const requestBytes = writeLatin1(request.bytes, `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`, 0);
const warmUp = Math.round(rate * warmUpSeconds);
const total = warmUp + Math.round(rate * seconds);
const intervalMs = 1000 / rate;

const idle: number[] = [];
/** By descriptor: when the request on it was due, and how much of the answer has come. */
const dueMs: number[] = [];
const isMeasured: boolean[] = [];
const received: number[] = [];
let answerBytes = 0;
let startMs = Number.POSITIVE_INFINITY;
let sent = 0;
let answered = 0;
let failed = 0;

function sendDue(): void {
  const now = performance.now();
  while (sent < total && startMs + sent * intervalMs <= now) {
    const fd = idle.pop();
    if (fd === undefined) return;
    dueMs[fd] = startMs + sent * intervalMs;
    isMeasured[fd] = sent >= warmUp;
    received[fd] = 0;
    // Only with a free connection at hand is it this program's own doing.
    if (idle.length > 0 && sent >= warmUp) lateness.add((now - (dueMs[fd] as number)) * 1000);
    sent++;
    if (!loop.send(fd, request.address, requestBytes)) failed++;
  }
}

function onReadable(fd: number): void {
  const count = loop.receive(fd);
  if (count <= 0) {
    failed++;
    answered++;
    loop.close(fd);
    return;
  }
  const { bytes } = loop.input;
  if (received[fd] === 0 && (bytes[9] as number) >= 0x34) failed++; // a status of 4xx or 5xx
  received[fd] = (received[fd] as number) + count;
  if (answerBytes === 0) answerBytes = lengthOf(Buffer.from(bytes.subarray(0, count)).toString("latin1"));
  if ((received[fd] as number) < answerBytes) return;
  answered++;
  if (isMeasured[fd] === true) latency.add((performance.now() - (dueMs[fd] as number)) * 1000);
  idle.push(fd);
  sendDue();
}

/** All answers are alike: their length is learnt from the first. */
function lengthOf(answer: string): number {
  const head = answer.indexOf("\r\n\r\n");
  const body = /^content-length: (\d+)\r$/im.exec(answer)?.[1];
  if (head < 0 || body === undefined) throw new Error(`an answer without Content-Length: ${answer.slice(0, 200)}`);
  return head + 4 + Number(body);
}

for (let i = 0; i < connections; i++) idle.push(loop.connect(port, onReadable));
loop.every(intervalMs * 1000, sendDue);
startMs = performance.now();
const deadlineMs = startMs + total * intervalMs + GRACE_MS;
loop.run(() => answered >= total || performance.now() > deadlineMs);
const result: SteadyResult = {
  asked: total - warmUp,
  failed: failed + (total - answered),
  latency: latency.toJSON(),
  lateness: lateness.toJSON(),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
