/**
 * Smuggling and splitting: fuzzed clients and back ends around the proxy. What client and back end see was recorded when nginx 1.31.5 and
 * Tandem agreed upon it (`npm run fuzz -- proxy --record`); `npm run fuzz -- proxy` compares with an nginx that is installed.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { departures } from "./fuzz/differential.ts";
import { proxySubject } from "./fuzz/proxy.ts";
import { normalise, takeRequest } from "./fuzz/proxy-views.ts";

const file = path.join(fileURLToPath(new URL("../../test/fuzz", import.meta.url)), "proxy-agreed.txt");

test("fuzzed conversations through the proxy are understood as nginx understands them", {
  timeout: 120_000,
}, async () => {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const agreed = new Map(lines.map((line) => line.split(" ")).map(([seed, hash]) => [Number(seed), hash as string]));
  assert.ok(agreed.size > 300, `${agreed.size} conversations`);
  const departed = await departures(proxySubject, agreed);
  assert.deepEqual(
    departed.map(({ seed, client, answers }) => ({ seed, client, answers })),
    [],
    "npm run fuzz -- proxy --seed N tells the difference",
  );
});

test("the back end's view takes requests apart by their framing", () => {
  const chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET";
  assert.deepEqual(takeRequest(chunked), {
    request: "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n<abc>",
    rest: "GET",
  });
  assert.equal(takeRequest("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"), undefined);
});

test("the client's view is the same however a body was cut into chunks", () => {
  const head = "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.equal(normalise(`${head}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`), normalise(`${head}2\r\nab\r\n0\r\n\r\n`));
  assert.notEqual(normalise(`${head}2\r\nab\r\n`), normalise(`${head}2\r\nab\r\n0\r\n\r\n`));
});
