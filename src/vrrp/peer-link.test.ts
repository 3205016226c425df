import assert from "node:assert/strict";
import { test } from "node:test";
import { type Envelope, type Hello, NOBODY, type Order, type PeerMessage } from "../wire/peer/message.ts";
import { hearPeer, isPeerUp, newPeerLink, type PeerLinkState, SILENCE_MS } from "./peer-link.ts";

const nonce = (fill: number): Uint8Array => new Uint8Array(8).fill(fill);
const OWN = nonce(1);
const THEIRS = nonce(2);
const CHALLENGE = nonce(9);
const hello: Hello = {
  kind: "hello",
  name: "b",
  version: "1",
  detours4: true,
  detours6: true,
  isDrained: false,
  addresses: [],
  routers: [],
  time: { sentMs: 0, echoMs: 0, heldMs: 0 },
};
const order: Order = { kind: "order", step: "take", id: 1, vrid: 33, family: 4, value: 0, reason: "" };
const envelope = (changes: Partial<Envelope> = {}): Envelope => ({
  session: THEIRS,
  sequence: 1,
  to: OWN,
  challenge: nonce(7),
  echo: CHALLENGE,
  ...changes,
});
const hear = (state: PeerLinkState, changes: Partial<Envelope>, message: PeerMessage = hello, atMs = 0) =>
  hearPeer(state, { envelope: envelope(changes), message }, { own: OWN, atMs, nextChallenge: nonce(10) });
const fresh = newPeerLink(CHALLENGE);
const known = hear(fresh, {}).state;

test("two strangers greet each other once, and then believe each other", () => {
  // A hello to everybody is answered, with its challenge.
  const first = hear(fresh, { to: NOBODY, echo: NOBODY });
  assert.deepEqual(first.verdict, { kind: "stranger", isAnswered: true });
  assert.deepEqual(first.state.echo, nonce(7));
  assert.equal(isPeerUp(first.state, 0), false);
  const second = hear(first.state, { sequence: 2 }, hello, 5);
  assert.deepEqual(second.verdict, { kind: "believed", isNew: true });
  assert.equal(isPeerUp(second.state, 5), true);
  assert.deepEqual(second.state.challenge, nonce(10), "a challenge is used once");
  assert.deepEqual(hear(second.state, { sequence: 3 }, order).verdict, { kind: "believed", isNew: false });
});

/** Two processes that say hello to everybody at these instants, over a link that takes a millisecond: whether they believe each other by `untilMs`. */
function meet(hellosMs: readonly [readonly number[], readonly number[]], untilMs: number): boolean {
  const sides = [OWN, THEIRS].map((session, i) => ({
    session,
    state: newPeerLink(nonce(20 + i)),
    sequence: 0,
    used: 0,
  }));
  const underWay: { atMs: number; to: number; envelope: Envelope }[] = [];
  const send = (from: number, atMs: number, to: Uint8Array): void => {
    const side = sides[from] as (typeof sides)[number];
    const isForAll = to === NOBODY;
    const { challenge, echo } = isForAll ? { challenge: NOBODY, echo: NOBODY } : side.state;
    const envelope = { session: side.session, sequence: ++side.sequence, to, challenge, echo };
    underWay.push({ atMs: atMs + 1, to: 1 - from, envelope });
  };
  for (let atMs = 0; atMs < untilMs; atMs++) {
    for (const from of [0, 1]) if (hellosMs[from]?.includes(atMs)) send(from, atMs, NOBODY);
    // In order of their arrival, because all take the same time.
    for (let next = underWay[0]; next !== undefined && next.atMs <= atMs; next = underWay[0]) {
      underWay.shift();
      const { to, envelope } = next;
      const side = sides[to] as (typeof sides)[number];
      const context = { own: side.session, atMs, nextChallenge: nonce(30 + 10 * to + side.used++) };
      const { state, verdict } = hearPeer(side.state, { envelope, message: hello }, context);
      side.state = state;
      if (verdict.kind === "stranger" ? verdict.isAnswered : verdict.kind === "believed" && verdict.isNew)
        send(to, atMs, envelope.session);
    }
  }
  return sides.every(({ state }) => isPeerUp(state, untilMs));
}

test("two nodes meet with their first hellos, in whatever moments these come", () => {
  for (let laterMs = 0; laterMs < 1000; laterMs++) {
    const met = meet([[0], [laterMs]], laterMs + 10);
    assert.ok(met, `the second one says hello ${laterMs} ms behind the first`);
  }
});

test("a node that is silent is gone, and is believed again when it goes on", () => {
  assert.equal(isPeerUp(known, SILENCE_MS - 1), true);
  assert.equal(isPeerUp(known, SILENCE_MS), false);
  const later = hear(known, { sequence: 40 }, hello, 99_000);
  assert.deepEqual(later.verdict, { kind: "believed", isNew: false });
  assert.equal(isPeerUp(later.state, 99_001), true);
});

test("no message is believed twice, in whatever order they come", () => {
  let state = known;
  for (const [sequence, isBelieved] of [
    [5, true],
    [3, true],
    [3, false],
    [5, false],
    [4, true],
    [40, true],
    [9, true],
    [8, false],
    [40, false],
    [1, false],
    [10_000, true],
    [9999, true],
    [9999, false],
  ] as const) {
    const heard = hear(state, { sequence }, order);
    assert.equal(heard.verdict.kind, isBelieved ? "believed" : "dropped", `${sequence}`);
    state = heard.state;
  }
});

test("recordings of any kind change nothing", () => {
  const recordings: readonly [string, Partial<Envelope>, PeerMessage][] = [
    ["our own message", { session: OWN }, order],
    ["an order for an earlier process of ours", { to: nonce(66), sequence: 7 }, order],
    ["an order for nobody in particular", { to: NOBODY, sequence: 7 }, order],
    ["an order that was believed", {}, order],
  ];
  for (const [what, changes, message] of recordings) {
    const { state, verdict } = hear(known, changes, message);
    assert.equal(verdict.kind, "dropped", what);
    assert.equal(state, known, what);
  }
  // The partner's earlier life: right key, right receiver, but the challenge of then.
  const old = hear(known, { session: nonce(3), sequence: 900, echo: CHALLENGE }, order, 1000);
  assert.equal(old.verdict.kind, "stranger");
  assert.deepEqual(old.state.session, THEIRS);
  assert.deepEqual(old.state.sequence, known.sequence);
});

test("a partner that was started anew is believed with the present challenge, and a flood of greetings answered slowly", () => {
  const again = hear(known, { session: nonce(3), echo: nonce(10), sequence: 1 }, hello, 10);
  assert.deepEqual(again.verdict, { kind: "believed", isNew: true });
  let state = fresh;
  let answers = 0;
  for (let atMs = 0; atMs < 1000; atMs++) {
    const heard = hear(state, { to: NOBODY, echo: NOBODY, session: nonce(atMs % 200) }, hello, atMs);
    if (heard.verdict.kind === "stranger" && heard.verdict.isAnswered) answers++;
    state = heard.state;
  }
  assert.equal(answers, 5);
});

test("an older hello that comes late does not undo a newer one", () => {
  const newer = hear(known, { sequence: 9 }, { ...hello, isDrained: true }).state;
  const late = hear(newer, { sequence: 8 }, hello);
  assert.equal(late.verdict.kind, "believed");
  assert.equal(late.state.hello?.isDrained, true);
});
