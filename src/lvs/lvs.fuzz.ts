import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromLatin1 } from "../base/bytes.ts";
import { encodeQuestion, judgeAnswer } from "./dns-question.ts";
import { HttpAnswer } from "./http-answer.ts";
import { SmtpDialogue } from "./smtp-dialogue.ts";

const bytes = fc.uint8Array({ maxLength: 200 });
const text = fc
  .array(
    fc.constantFrom("HTTP/1.1 ", "200 ", "OK", "\r\n", "\r\n\r\n", "Content-Length: ", "5", "x", "220 ", "250 ", "\n"),
    {
      maxLength: 30,
    },
  )
  .map((parts) => fromLatin1(parts.join("")));
const pieces = fc.array(fc.oneof(bytes, text), { maxLength: 12 });

test("an answer is the same however it is cut", () => {
  fc.assert(
    fc.property(fc.oneof(bytes, text), fc.integer({ min: 1, max: 50 }), (answer, size) => {
      const url = {
        path: "/",
        digest: new Uint8Array(16),
        statusCodes: [[200, 299]] as const,
        virtualHost: undefined,
        regex: undefined,
      };
      const whole = new HttpAnswer(url, undefined);
      const cut = new HttpAnswer(url, undefined);
      whole.add(answer);
      for (let at = 0; at < answer.length; at += size) cut.add(answer.subarray(at, at + size));
      assert.deepEqual(cut.end(), whole.end());
      assert.deepEqual(cut.lengths, whole.lengths);
    }),
    { numRuns: 1000 },
  );
});

test("no bytes make a talk with a mail server go on for ever, or throw", () => {
  fc.assert(
    fc.property(pieces, (heard) => {
      const dialogue = new SmtpDialogue("me", "server");
      let said = 0;
      for (const piece of heard) {
        const turn = dialogue.hear(piece);
        if (turn === undefined) continue;
        if ("failure" in turn) break;
        said++;
      }
      assert.ok(said <= 2);
    }),
    { numRuns: 1000 },
  );
});

test("no datagram makes DNS_CHECK throw, and questions have the length of their names", () => {
  fc.assert(
    fc.property(bytes, fc.nat(0xffff), (datagram, id) => {
      judgeAnswer(datagram, id);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { maxLength: 5 }), fc.nat(0xffff), (labels, id) => {
      const length = labels.reduce((sum, label) => sum + label.length + 1, 0);
      assert.equal(encodeQuestion(id, labels.join("."), 1).length, 12 + length + 5);
    }),
  );
});
