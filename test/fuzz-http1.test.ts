/**
 * Bad input: fuzzed clients of the web server itself. What they got and what was logged has been recorded when nginx 1.31.5 and Tandem agreed upon it
 * (`npm run fuzz -- http1 --record`); `npm run fuzz -- http1` compares with an nginx that is installed.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { departures } from "./fuzz/differential.ts";
import { http1Subject } from "./fuzz/http1.ts";
import { makeCase } from "./fuzz/http1-cases.ts";
import { reasonFor } from "./fuzz/http1-known.ts";
import { type Http1View, normaliseErrors } from "./fuzz/http1-views.ts";

const file = path.join(fileURLToPath(new URL("../../test/fuzz", import.meta.url)), "http1-agreed.txt");

test("fuzzed requests are answered and logged as nginx does", { timeout: 120_000 }, async () => {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const agreed = new Map(lines.map((line) => line.split(" ")).map(([seed, hash]) => [Number(seed), hash as string]));
  assert.ok(agreed.size > 900, `${agreed.size} conversations`);
  const departed = await departures(http1Subject, agreed);
  assert.deepEqual(
    departed.map(({ seed, pieces }) => ({ seed, pieces })),
    [],
    "npm run fuzz -- http1 --seed N tells the difference",
  );
});

test("the error log's view has no time, process, connection or folder, and control bytes escaped", () => {
  const text =
    '2026/01/02 03:04:05 [info] 12#0: *3 a "/tmp/x/f" b\r, client: unix:\n2026/01/02 03:04:05 [notice] 12#0: c\n';
  assert.deepEqual(normaliseErrors(text, "/tmp/x"), ['[info] a "DIR/f" b\\x0D, client: unix:', "[notice] c"]);
});

test("a difference that is not listed has no reason", () => {
  const view: Http1View = {
    client: "HTTP/1.1 200 OK\r\n\r\n",
    fate: "closed",
    access: [
      '"GET / HTTP/1.1" 200 0 145 30 1 "OK" GET "/" "-" "-" "fuzz" fuzz HTTP/1.1 "-" "-" "-" "-" "-" "/" close -',
    ],
    errors: [],
  };
  const one = { ...makeCase(1, 1), pieces: ["GET / HTTP/1.1\r\n\r\n"], cuts: [], dribbled: false };
  for (const other of [
    { ...view, client: "HTTP/1.1 400 Bad Request\r\n\r\n" },
    { ...view, fate: "reset" as const },
    { ...view, access: [] },
    { ...view, access: [(view.access[0] as string).replace(" 30 ", " 31 ")] },
    { ...view, errors: ["[info] x, client: unix:"] },
  ])
    assert.equal(reasonFor(one, view, other), undefined, JSON.stringify(other));
});
