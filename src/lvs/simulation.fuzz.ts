/**
 * Servers that come and go at random, checked by every kind of network checker: whatever happens, the kernel has who is fit, and
 * nobody else, as soon as the checkers can know it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { configOf, type FakeProbe, FakeWorld } from "./example.ts";
import { LvsNode } from "./node.ts";

const NAME = "[10.0.0.100]:tcp:80";
const LOOP_MS = 1000;
const RETRY_MS = 300;
const TIMEOUT_MS = 500;

const CHECKERS = [
  "TCP_CHECK {\nretry RETRY\n}",
  "PING_CHECK {\nretry RETRY\n}",
  "UDP_CHECK {\nrequire_reply\nretry RETRY\n}",
  "DNS_CHECK {\nretry RETRY\n}",
  "SMTP_CHECK {\nretry RETRY\n}",
  "HTTP_GET {\nretry RETRY\nurl {\npath /\n}\n}",
  "HTTP_GET {\nretry RETRY\nfast_recovery\nurl {\npath /a\n}\nurl {\npath /b\n}\n}",
];
const MAX_RETRIES = 2;
const SERVERS = 3;
/** A checker of two urls needs two rounds for a word, and may be in the middle of one; then come its retries. */
const KNOWN_MS = 3 * (LOOP_MS + TIMEOUT_MS) + (MAX_RETRIES + 2) * (RETRY_MS + TIMEOUT_MS + LOOP_MS) + 2000;

/** Answers as a server of the checker's kind does, or stays silent. */
function answer(probe: FakeProbe, isUp: boolean, how: "refuse" | "silence" | "nonsense"): void {
  const { owner } = probe;
  if (!isUp && how === "silence") return;
  if (!isUp && how === "refuse") {
    owner.onFailed("refused", "");
    return;
  }
  if (probe.kind === "ping") {
    isUp ? owner.onConnected() : owner.onFailed("refused", "");
    return;
  }
  owner.onConnected();
  const question = probe.sent[0];
  if (probe.isClosed) return;
  if (!isUp) {
    if (question === undefined) owner.onData(fromLatin1("500 no\r\n"));
    else owner.onFailed("broken", "");
    return;
  }
  if (probe.kind === "datagrams") {
    const header = question === undefined ? [0, 0] : [question[0] as number, question[1] as number];
    owner.onData(Uint8Array.from([...header, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0]));
    return;
  }
  if (question === undefined) {
    for (const line of ["220 hi\r\n", "250 you\r\n", "221 bye\r\n"])
      if (!probe.isClosed) owner.onData(fromLatin1(line));
    return;
  }
  owner.onData(fromLatin1("HTTP/1.0 200 OK\r\n\r\nfine"));
  if (!probe.isClosed) owner.onEnd();
}

const steps = fc.array(
  fc.record({
    server: fc.nat(SERVERS - 1),
    isUp: fc.boolean(),
    how: fc.constantFrom("refuse" as const, "silence" as const, "nonsense" as const),
    ms: fc.integer({ min: 0, max: 4000 }),
    calm: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
);

test("the kernel has the fit servers, or the sorry one, as soon as checkers can know it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...CHECKERS), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: MAX_RETRIES }),
      fc.boolean(),
      fc.boolean(),
      steps,
      (checkers, retries, alpha, sorry, story) => {
        const checks = checkers.join("\n").replaceAll("RETRY", String(retries));
        const reals = Array.from({ length: SERVERS }, (_, i) => `real_server 10.0.0.${i + 1} 80 {\n${checks}\n}`).join(
          "\n",
        );
        const times = `delay_loop ${LOOP_MS / 1000}\ndelay_before_retry ${RETRY_MS / 1000}\nconnect_timeout ${TIMEOUT_MS / 1000}\nwarmup 0`;
        const more = `${alpha ? "alpha" : ""}\n${sorry ? "sorry_server 10.0.0.9 80" : ""}`;
        const text = `virtual_server 10.0.0.100 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n${times}\n${more}\n${reals}\n}`;
        const world = new FakeWorld();
        const node = new LvsNode(world.ports, configOf(text));
        const up = new Array<boolean>(SERVERS).fill(true);
        let how: "refuse" | "silence" | "nonsense" = "refuse";
        const answered = new Set<FakeProbe>();
        const reply = (): void => {
          for (const probe of world.openProbes) {
            if (answered.has(probe)) continue;
            answered.add(probe);
            answer(probe, up[(probe.target.destination.ip[3] as number) - 1] as boolean, how);
          }
          assert.ok(world.openProbes.length <= SERVERS * checkers.length, "one check a checker");
          const pool = world.pool(NAME) ?? [];
          if (sorry) assert.ok(pool.length > 0, "somebody serves always");
        };
        node.start();
        for (const step of story) {
          up[step.server] = step.isUp;
          // To TCP_CHECK a connection is all, whatever is said in it.
          how = step.how === "nonsense" && checks.includes("TCP_CHECK") ? "refuse" : step.how;
          world.advance(step.calm ? step.ms + KNOWN_MS : step.ms, reply);
          if (!step.calm) continue;
          const fit = up.flatMap((isUp, i) => (isUp ? [`10.0.0.${i + 1}:80`] : []));
          assert.deepEqual(world.pool(NAME), fit.length === 0 && sorry ? ["10.0.0.9:80"] : fit);
        }
        node.stop();
        assert.equal(world.openProbes.length, 0);
      },
    ),
    { numRuns: 300 },
  );
});
