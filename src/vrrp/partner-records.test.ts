import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ask, Part } from "../wire/peer/message.ts";
import { MAX_RECORD_BYTES, type PartnerRecord, PartnerRecords, type RecordKind } from "./partner-records.ts";
import type { Partner } from "./peer-channel.ts";

const partner = (fill: number): Partner => ({
  link: { index: 1, name: "eth0" },
  address: Uint8Array.of(192, 168, 50, fill),
  hello: {
    kind: "hello",
    name: `node ${fill}`,
    version: "1",
    detours4: false,
    detours6: false,
    isDrained: false,
    addresses: [],
    routers: [],
    time: { sentMs: 0, echoMs: 0, heldMs: 0 },
  },
  session: new Uint8Array(8).fill(fill),
  clock: undefined,
  heardMs: 0,
  provenMs: 0,
});
const A = partner(1);
const B = partner(2);

/** Two nodes, a asks b; every message takes a millisecond, unless `loses` says that it is lost. */
function pair(
  record: Uint8Array | undefined,
  loses: (message: Ask | Part, i: number) => boolean = () => false,
  what: RecordKind = "flight",
) {
  let nowMs = 0;
  let sent = 0;
  let ids = 0;
  let made = 0;
  const queue: { readonly atMs: number; readonly run: () => void }[] = [];
  const deliver = (to: () => PartnerRecords, from: Partner) => (_: Partner, message: Ask | Part) => {
    if (loses(message, sent++)) return;
    const run = (): void => (message.kind === "ask" ? to().onAsk(from, message) : to().onPart(from, message));
    queue.push({ atMs: nowMs + 1, run });
  };
  const ports = { now: () => nowMs, randomId: () => ++ids };
  const a: PartnerRecords = new PartnerRecords({
    ...ports,
    partners: [B, { ...B, link: { index: 2, name: "eth1" } }],
    send: deliver(() => b, A),
    own: () => {},
  });
  const b: PartnerRecords = new PartnerRecords({
    ...ports,
    partners: [],
    send: deliver(() => a, B),
    own: (asked, settle) => {
      assert.equal(asked, what);
      made++;
      if (record !== undefined) queue.push({ atMs: nowMs + 5, run: () => settle(record) });
    },
  });
  let answer: readonly PartnerRecord[] | undefined;
  a.ask(what, (records) => {
    answer = records;
  });
  for (; nowMs < 6000 && answer === undefined; nowMs++) {
    for (const task of queue.filter(({ atMs }) => atMs <= nowMs)) {
      queue.splice(queue.indexOf(task), 1);
      task.run();
    }
    if (a.nextMs <= nowMs) a.ring(nowMs);
  }
  return { answer, nowMs, sent, made };
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7);

test("a record of one part and of many comes whole, from each node once", () => {
  for (const length of [1, 1200, 1201, 40_000, MAX_RECORD_BYTES.flight]) {
    const { answer, made } = pair(bytes(length));
    assert.equal(answer?.length, 1);
    assert.deepEqual(answer?.[0]?.bytes, bytes(length));
    assert.equal(made, 1, "the record is made once for all its parts");
  }
});

test("a configuration may be longer than a flight record", () => {
  const length = MAX_RECORD_BYTES.configuration;
  assert.deepEqual(pair(bytes(length), () => false, "configuration").answer?.[0]?.bytes, bytes(length));
  assert.equal(pair(bytes(length + 1), () => false, "configuration").answer?.[0]?.bytes, undefined);
});

test("lost messages are asked for again", () => {
  for (const every of [3, 5, 7]) {
    const { answer } = pair(bytes(30_000), (_, i) => i % every === 0);
    assert.deepEqual(answer?.[0]?.bytes, bytes(30_000), `every ${every}`);
  }
});

test("a node that does not answer, has no record or one that is too long is left out in time", () => {
  const silent = pair(bytes(10), () => true);
  assert.deepEqual([silent.answer?.[0]?.bytes, silent.nowMs], [undefined, 4001]);
  assert.equal(pair(undefined).answer?.[0]?.bytes, undefined);
  for (const length of [0, MAX_RECORD_BYTES.flight + 1]) {
    const { answer, nowMs } = pair(bytes(length));
    assert.equal(answer?.[0]?.bytes, undefined);
    assert.ok(nowMs < 100);
  }
});

test("without loss no part is sent twice", () => {
  const { sent } = pair(bytes(30_000));
  assert.equal(sent, 2 * 25);
});

test("whoever has no partner is answered at once", () => {
  let answer: readonly PartnerRecord[] | undefined;
  new PartnerRecords({ partners: [], now: () => 0, randomId: () => 1, send: () => {}, own: () => {} }).ask(
    "flight",
    (records) => {
      answer = records;
    },
  );
  assert.deepEqual(answer, []);
});
