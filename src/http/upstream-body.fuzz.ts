/** A buffered answer, a client that takes it when it likes, and settings of any size: everything arrives in order, within the bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { Chunk } from "./body.ts";
import { Output } from "./output.ts";
import type { Request } from "./request.ts";
import { AnswerBody, BODY_DONE, BODY_MORE } from "./upstream-body.ts";
import type { UpstreamRules } from "./upstream-rules.ts";

const SCRATCH_BYTES = 256;
const LARGEST_PIECE = 64;

type Step =
  | { readonly kind: "piece"; readonly sizeBytes: number }
  | { readonly kind: "stop" }
  | { readonly kind: "drain" }
  | { readonly kind: "open" };
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("piece" as const),
      sizeBytes: fc.integer({ min: 1, max: LARGEST_PIECE }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "stop" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "drain" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "open" as const }) },
);

/** A client, and a file in memory. What it has been given while it was busy waits, as in a connection's queue. */
class Client {
  readonly got: Bytes[] = [];
  blocked = false;
  waiting: Chunk[] = [];
  file = new Uint8Array(0);
  largestWrite = 0;

  readonly request: Request;

  constructor() {
    const bytes = new Uint8Array(SCRATCH_BYTES);
    const memory = { bytes, address: 0 } as unknown as Memory;
    const files = {
      openNew: () => 7,
      unlink: () => 0,
      close: () => {},
      writeAt: (_fd: number, source: Memory, offset: number, sizeBytes: number, position: number) => {
        this.largestWrite = Math.max(this.largestWrite, sizeBytes);
        const longer = new Uint8Array(position + sizeBytes);
        longer.set(this.file);
        longer.set(source.bytes.subarray(offset, offset + sizeBytes), position);
        this.file = longer;
        return sizeBytes;
      },
    };
    const connection = {
      worker: {
        scratch: new Output(memory, SCRATCH_BYTES),
        temporary: () => 1,
        ports: { files },
        guard: { claim() {} },
      },
      isBlocked: () => this.blocked,
      emit: (_request: Request, chunk: Chunk) => this.take(chunk),
      logError: () => {},
    };
    this.request = {
      headerOnly: false,
      chain: undefined,
      connection,
      exchange: { active: true },
    } as unknown as Request;
  }

  private take(chunk: Chunk): void {
    if (this.blocked) this.waiting.push(chunk);
    else this.got.push(this.bytesOf(chunk));
  }

  bytesOf({ bytes, start, end }: Chunk): Bytes {
    return new Uint8Array((bytes ?? this.file).subarray(start, end));
  }

  /** Bytes in memory that it was given. */
  get heldBytes(): number {
    return this.waiting.reduce((sum, { bytes, start, end }) => sum + (bytes === undefined ? 0 : end - start), 0);
  }

  takeAll(): void {
    this.blocked = false;
    for (const chunk of this.waiting.splice(0)) this.got.push(this.bytesOf(chunk));
  }
}

const sizes = fc.record({
  memoryBytes: fc.integer({ min: 16, max: 300 }),
  busyShare: fc.double({ min: 0, max: 0.9, noNaN: true }),
  fileWriteBytes: fc.integer({ min: 1, max: 400 }),
  maxTempFileSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 600 }), fc.constant(1e9)),
});

test("an answer reaches a client whole and in order, however slow it is", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), sizes, (script, { busyShare, ...bounds }) => {
      const busyBytes = Math.floor(bounds.memoryBytes * busyShare);
      const rules = { ...bounds, busyBytes, temporaryFolder: { path: "/t", levels: [] } } as unknown as UpstreamRules;
      const total = script.reduce((sum, step) => sum + (step.kind === "piece" ? step.sizeBytes : 0), 0);
      const client = new Client();
      const { request } = client;
      const body = new AnswerBody();
      body.begin(total, false, true, false);
      const drain = (): void => {
        client.takeAll();
        body.drained(request);
      };
      let sent = 0;
      for (const step of script) {
        if (step.kind === "stop") client.blocked = true;
        else if (step.kind === "drain") drain();
        else if (step.kind === "open") client.takeAll();
        else {
          // A full queue stops the reading until the client has taken all.
          if (body.full) drain();
          const bytes = Uint8Array.from({ length: step.sizeBytes }, (_, i) => (sent + i) % 251);
          sent += step.sizeBytes;
          const result = body.consume(request, rules, { memory: undefined, bytes, start: 0, end: bytes.length });
          assert.equal(result, sent === total ? BODY_DONE : BODY_MORE);
          bytes.fill(255);
          assert.ok(client.heldBytes <= Math.max(busyBytes, LARGEST_PIECE) + rules.memoryBytes, "memory is bounded");
          assert.ok(client.file.length <= rules.maxTempFileSize, "the file is bounded");
          assert.ok(client.largestWrite <= Math.min(rules.fileWriteBytes, SCRATCH_BYTES), "writes are bounded");
        }
      }
      body.giveGathered(request);
      client.takeAll();
      const got = concatBytes(client.got);
      assert.equal(got.length, total);
      assert.ok(got.every((byte, i) => byte === i % 251));
    }),
    { numRuns: 2000 },
  );
});

test("what a client is given at once is bounded by proxy_busy_buffers_size, the rest goes into the file", () => {
  const client = new Client();
  const rules = {
    memoryBytes: 100,
    busyBytes: 30,
    fileWriteBytes: 25,
    maxTempFileSize: 1000,
    temporaryFolder: { path: "/t", levels: [] },
  } as unknown as UpstreamRules;
  const body = new AnswerBody();
  body.begin(-1, false, true, false);
  client.blocked = true;
  for (let i = 0; i < 10; i++)
    body.consume(client.request, rules, { memory: undefined, bytes: new Uint8Array(10).fill(i), start: 0, end: 10 });
  assert.equal(client.heldBytes, 30, "three pieces have been given");
  assert.equal(client.file.length, 0, "seven wait");
  body.consume(client.request, rules, { memory: undefined, bytes: new Uint8Array(10), start: 0, end: 10 });
  assert.equal(client.file.length, 80, "memory was full");
  assert.equal(client.largestWrite, 25);
  assert.equal(client.heldBytes, 30);
  assert.equal(body.full, false);
});
