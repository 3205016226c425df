/**
 * `node echo-clients.js PORT CONNECTIONS IN_FLIGHT MESSAGE_BYTES SECONDS`: opens WebSocket connections, then sends masked frames that come
 * back, the connections in turn. Prints one line of JSON.
 */
import { writeLatin1 } from "../../src/base/bytes.ts";
import { allocateMemory } from "../../src/os/memory.ts";
import { LoadLoop } from "./loop.ts";

/** What the program prints at last. */
export interface EchoResult {
  readonly messages: number;
  readonly failed: number;
  readonly perSecond: number;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const MASK = [0x37, 0xfa, 0x21, 0x3d];
const [port = 0, connections = 0, inFlight = 0, messageBytes = 0, seconds = 0] = process.argv.slice(2).map(Number);

const loop = new LoadLoop();
const output = allocateMemory(4096);
const handshakeBytes = writeLatin1(
  output.bytes,
  `GET /echo HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  0,
);
/** RFC 6455 section 5.2: FIN and binary, masked, a payload below 126 bytes. */
const frame = allocateMemory(4096);
frame.bytes.set([0x82, 0x80 | messageBytes, ...MASK]);
for (let i = 0; i < messageBytes; i++) frame.bytes[6 + i] = i ^ (MASK[i % 4] as number);
const frameBytes = 6 + messageBytes;

const fds: number[] = [];
/** By descriptor. */
const received: number[] = [];
let open = 0;
let next = 0;
let messages = 0;
let failed = 0;
let isOver = false;

function sendNext(): void {
  const fd = fds[next] as number;
  next = (next + 1) % fds.length;
  received[fd] = 0;
  if (!loop.send(fd, frame.address, frameBytes)) failed++;
}

function onReadable(fd: number): void {
  const count = loop.receive(fd);
  if (count <= 0) {
    failed++;
    loop.close(fd);
    return;
  }
  if (received[fd] === -1) {
    const text = Buffer.from(loop.input.bytes.subarray(0, count)).toString("latin1");
    if (!text.startsWith("HTTP/1.1 101")) throw new Error(`no tunnel: ${text.slice(0, 100)}`);
    received[fd] = 0;
    open++;
    return;
  }
  received[fd] = (received[fd] as number) + count;
  if ((received[fd] as number) < frameBytes) return;
  if ((received[fd] as number) > frameBytes) failed++;
  messages++;
  if (!isOver) sendNext();
}

for (let i = 0; i < connections; i++) {
  const fd = loop.connect(port, onReadable);
  fds.push(fd);
  received[fd] = -1;
  loop.send(fd, output.address, handshakeBytes);
  // A few at a time: an accept queue is not what is measured.
  const deadline = performance.now() + HANDSHAKE_TIMEOUT_MS;
  if (i % 32 === 31 || i === connections - 1) loop.run(() => open > i || performance.now() > deadline);
  if (performance.now() > deadline)
    throw new Error(`${open} of ${i + 1} tunnels were open after ${HANDSHAKE_TIMEOUT_MS} ms`);
}
for (let i = 0; i < inFlight; i++) sendNext();
const runFor = (ms: number): void => {
  const until = performance.now() + ms;
  loop.run(() => performance.now() >= until);
};
const begunMs = performance.now();
runFor(seconds * 1000);
isOver = true;
const result: EchoResult = { messages, failed, perSecond: (messages * 1000) / (performance.now() - begunMs) };
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
