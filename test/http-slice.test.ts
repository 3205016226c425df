/** Answers that are fetched in slices, with and without a cache. nginx passes these tests, too (`TEST_SERVER`). */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exchange, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const PATIENCE_MS = 20_000;
const BODY = "0123456789abcdefghij-";

const targetOf = ({ text }: Seen): string => text.split(" ")[1] as string;
const rangeOf = ({ text }: Seen): string => /^Range: (.*)\r$/m.exec(text)?.[1] ?? "";

function part(body: string, range: string, ...lines: string[]): string {
  const [, first = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(range) ?? []).map(Number);
  const piece = body.slice(first, last + 1);
  if (piece === "") return "HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n";
  const head = [
    "HTTP/1.1 206 Partial Content",
    `Content-Range: bytes ${first}-${first + piece.length - 1}/${body.length}`,
    `Content-Length: ${piece.length}`,
    ...lines,
  ];
  return `${head.join("\r\n")}\r\n\r\n${piece}`;
}

const large = "0123456789".repeat(40_000);

const REPLIES: Readonly<Record<string, (range: string) => Reply>> = {
  "/whole": () => ok("whole"),
  "/none": () => "HTTP/1.1 404 x\r\nContent-Length: 4\r\n\r\nnone",
  "/tagged": (range) => part(BODY, range, 'ETag: "t"'),
  "/other-tag": (range) => part(BODY, range, `ETag: "${range}"`),
  "/turns-whole": (range) => (range === "bytes=8-15" ? ok(BODY) : part(BODY, range)),
  "/no-length": (range) => part(BODY, range).replace(`/${BODY.length}`, "/*"),
  "/no-range": (range) => part(BODY, range).replace(/Content-Range: [^\r]*/, "X: y"),
  "/other-range": (range) => part(BODY, range).replace("bytes 0-7", "bytes 1-8"),
  "/empty": () => ok(""),
  "/large": (range) => part(large, range),
};

describe("slices", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen((seen) => {
      const target = targetOf(seen).split("?")[0] as string;
      return REPLIES[target]?.(rangeOf(seen)) ?? part(BODY, rangeOf(seen));
    });
    const pass = `proxy_pass http://${back.address}/; proxy_set_header Range $slice_range;`;
    server = await TestServer.start(
      `access_log off; proxy_cache_path %DIR%/c keys_zone=c:1m; proxy_cache_valid 200 206 1h; proxy_cache_key $uri$is_args$args$slice_range;
      server { listen 127.0.0.1:%PORT%;
        location /plain/ { slice 8; ${pass} }
        location /cached/ { slice 8; ${pass} proxy_cache c; add_header X-Cache $upstream_cache_status; }
        location /big/ { slice 16k; ${pass} proxy_cache c; }
        location /off/ { ${pass} add_header X-Range "[$slice_range]"; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const get = async (target: string, ...lines: string[]): Promise<{ status: string; head: string; body: string }> => {
    const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
    const { text } = await exchange(server.port, [request], PATIENCE_MS);
    const end = text.indexOf("\r\n\r\n");
    return { status: text.slice(9, 12), head: text.slice(0, end), body: text.slice(end + 4) };
  };
  const rangesOf = (target: string): string[] => back.seen.filter((seen) => targetOf(seen) === target).map(rangeOf);
  const logged = (): string => server.log("error.log");

  test("a large answer is asked for in slices, one behind the other, and is whole", async () => {
    const { status, head, body } = await get("/plain/x");
    assert.deepEqual([status, body], ["200", BODY]);
    assert.match(head, /Content-Length: 21\r\n/);
    assert.match(head, /Accept-Ranges: bytes/);
    assert.doesNotMatch(head, /Content-Range/);
    assert.deepEqual(rangesOf("/x"), ["bytes=0-7", "bytes=8-15", "bytes=16-23"]);
  });

  test("of a range only the slices are fetched that it lies in", async () => {
    for (const [name, range, wanted, slices] of [
      ["a", "bytes=9-10", "9a", ["bytes=8-15"]],
      ["b", "bytes=7-8", "78", ["bytes=0-7", "bytes=8-15"]],
      ["c", "bytes=17-", "hij-", ["bytes=16-23"]],
      ["d", "bytes=-3", "ij-", ["bytes=0-7", "bytes=16-23"]],
      ["e", "bytes=0-0", "0", ["bytes=0-7"]],
    ] as const) {
      const { status, head, body } = await get(`/plain/${name}`, `Range: ${range}`);
      assert.deepEqual([status, body], ["206", wanted], range);
      assert.match(head, /Content-Range: bytes \d+-\d+\/21\r?/);
      assert.deepEqual(rangesOf(`/${name}`), slices, range);
    }
  });

  test("several ranges are the whole, one that is not there is refused", async () => {
    assert.deepEqual((await get("/plain/f", "Range: bytes=0-1,9-10")).body, BODY);
    assert.equal((await get("/plain/g", "Range: bytes=100-")).status, "416");
  });

  test("a condition is about the whole", async () => {
    assert.equal((await get("/cached/tagged", 'If-None-Match: "t"')).status, "304");
    assert.equal((await get("/plain/tagged", 'If-Range: "t"', "Range: bytes=9-9")).body, "9");
    assert.equal((await get("/plain/tagged", 'If-Range: "u"', "Range: bytes=9-9")).body, BODY);
  });

  test("slices are kept one by one", async () => {
    assert.match((await get("/cached/x")).head, /X-Cache: MISS/);
    const before = back.seen.length;
    const { head, body } = await get("/cached/x");
    assert.equal(body, BODY);
    assert.match(head, /X-Cache: HIT/);
    assert.equal((await get("/cached/x", "Range: bytes=9-16")).body, "9abcdefg");
    assert.equal(back.seen.length, before);
  });

  test("many slices go to the client as fast as it takes them", async () => {
    assert.equal((await get("/big/large")).body, large);
    assert.equal((await get("/big/large")).body, large);
    assert.equal((await get("/big/large", "Range: bytes=100000-300000")).body, large.slice(100_000, 300_001));
    assert.equal(rangesOf("/large").length, Math.ceil(large.length / 16_384));
  });

  test("a server that knows no ranges gives the whole, and errors stay errors", async () => {
    assert.deepEqual((await get("/plain/whole")).body, "whole");
    assert.deepEqual((await get("/plain/none")).status, "404");
    assert.deepEqual((await get("/plain/empty")).body, "");
  });

  test("slices of different answers are not put together", async () => {
    for (const [name, complaint] of [
      ["other-tag", "etag mismatch in slice response"],
      ["turns-whole", "unexpected status code 200 in slice response"],
      ["no-length", "no complete length in slice response"],
      ["no-range", "invalid range in slice response"],
      ["other-range", "unexpected range in slice response: 1-9, expected: 0-9"],
    ] as const) {
      assert.equal((await get(`/plain/${name}`)).body, "", name);
      assert.ok(logged().includes(complaint), complaint);
    }
  });

  test("HEAD asks for one slice", async () => {
    const { text } = await exchange(server.port, ["HEAD /cached/h HTTP/1.0\r\n\r\n"], PATIENCE_MS);
    assert.match(text, /^HTTP\/1.1 200 .*Content-Length: 21\r\n/s);
    assert.deepEqual(rangesOf("/h"), ["bytes=0-7"]);
  });

  test("without slice there is no range", async () => {
    const { head } = await get("/off/whole");
    assert.match(head, /X-Range: \[\]/);
    assert.deepEqual(rangesOf("/whole").at(-1), "");
  });
});
