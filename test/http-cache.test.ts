/**
 * The proxy's cache: what is kept and for how long, what is answered from it, who fetches and who waits. nginx passes these tests,
 * too (`TEST_SERVER`). Files and processes of caches are looked at in http-cache-files.test.ts.
 */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { exchange, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { sleep, until } from "./support/server-process.ts";

const PATIENCE_MS = 20_000;

const targetOf = ({ text }: Seen): string => text.split(" ")[1] as string;
const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toUTCString();

/** Header lines that answers of `/said/…` have, and whether such an answer is kept. */
const SAID: readonly (readonly [name: string, lines: readonly string[], isKept: boolean])[] = [
  ["nothing", [], false],
  ["max-age", ["Cache-Control: max-age=60"], true],
  ["max-age-zero", ["Cache-Control: max-age=0"], false],
  ["s-maxage-first", ["Cache-Control: max-age=0, s-maxage=60"], true],
  ["s-maxage-zero", ["Cache-Control: max-age=60, s-maxage=0"], false],
  ["malformed", ["Cache-Control: max-age=6x"], false],
  ["huge", ["Cache-Control: max-age=99999999999999999999999"], true],
  ["no-cache", ["Cache-Control: max-age=60, No-Cache"], false],
  ["no-store", ["Cache-Control: no-store", "Expires: LATER"], false],
  ["private", ["Cache-Control: private"], false],
  ["two-lines", ["Cache-Control: public", "Cache-Control: max-age=60"], true],
  ["expires", ["Expires: LATER"], true],
  ["expired", ["Expires: EARLIER"], false],
  ["expires-never", ["Expires: 0"], false],
  ["age-and-expired", ["Cache-Control: max-age=60", "Expires: EARLIER"], true],
  ["expired-and-age", ["Expires: EARLIER", "Cache-Control: max-age=60"], true],
  ["accel", ["X-Accel-Expires: 60"], true],
  ["accel-at", ["X-Accel-Expires: @9999999999"], true],
  ["accel-zero", ["X-Accel-Expires: 0", "Cache-Control: max-age=60"], false],
  ["accel-odd", ["X-Accel-Expires: never"], false],
  ["accel-wins", ["Cache-Control: no-cache", "X-Accel-Expires: 60"], true],
  ["accel-wins-first", ["X-Accel-Expires: 60", "Cache-Control: no-cache"], true],
  ["cookie", ["Cache-Control: max-age=60", "Set-Cookie: a=1"], false],
  ["vary-all", ["Cache-Control: max-age=60", "Vary: *"], false],
  ["vary-long", ["Cache-Control: max-age=60", `Vary: ${"x".repeat(129)}`], false],
  ["vary", ["Cache-Control: max-age=60", "Vary: Accept-Encoding"], true],
];

function said(name: string): string {
  const lines = SAID.find(([known]) => known === name)?.[1] ?? [];
  return ok(name, ...lines.map((line) => line.replace("LATER", inHours(1)).replace("EARLIER", inHours(-1))));
}

describe("the cache of a proxy", { timeout: 120_000 }, () => {
  let back: BackEnd;
  let server: TestServer;
  /** What the back end says, by the path of the target; a test sets what it needs. */
  const replies = new Map<string, (seen: Seen) => Reply>();

  before(async () => {
    back = await BackEnd.listen((seen) => {
      const [path = ""] = targetOf(seen).split("?");
      if (path.startsWith("/said/")) return said(path.slice("/said/".length));
      return replies.get(path)?.(seen) ?? ok(`answer ${back.seen.length}`);
    });
    const cached = `proxy_pass http://${back.address}; proxy_cache c; add_header X-Cache "$upstream_cache_status" always;`;
    server = await TestServer.start(
      `proxy_cache_path %DIR%/c levels=1:2 keys_zone=c:1m; proxy_cache_path %DIR%/d keys_zone=d:64k use_temp_path=off;
      access_log off; log_not_found off;
      server { listen 127.0.0.1:%PORT%; proxy_temp_path %DIR%/temp; proxy_read_timeout 1s;
        location / { ${cached} proxy_cache_valid 1h; proxy_cache_valid 404 1h; }
        location /said/ { ${cached} }
        location /ignoring/ { ${cached} rewrite ^/ignoring(/.*) $1 break; proxy_cache_key i$uri; proxy_cache_valid 1h;
          proxy_ignore_headers Cache-Control Expires X-Accel-Expires Set-Cookie Vary; }
        location /any/ { ${cached} proxy_cache_valid 500 0; proxy_cache_valid any 1h; }
        location /key/ { ${cached} proxy_cache_valid 1h; proxy_cache_key $arg_k; }
        location /named/ { ${cached.replace("proxy_cache c", "proxy_cache $arg_zone")} proxy_cache_valid 1h; }
        location /bypass/ { ${cached} proxy_cache_valid 1h; proxy_cache_bypass $arg_bypass $http_x_bypass; proxy_no_cache $arg_never; }
        location /post/ { ${cached} proxy_cache_valid 1h; proxy_cache_methods POST; }
        location /uses/ { ${cached} proxy_cache_valid 1h; proxy_cache_min_uses 3; }
        location /head/ { ${cached} proxy_cache_valid 1h; proxy_cache_convert_head off; proxy_cache_key $request_method$uri; }
        location /far/ { ${cached} proxy_cache_valid 1h; proxy_cache_max_range_offset 5; }
        location /short/ { ${cached} proxy_cache_valid 1s; }
        location /stale/ { ${cached} proxy_cache_valid 1s; proxy_cache_use_stale error timeout http_500 invalid_header; }
        location /updating/ { ${cached} proxy_cache_valid 1s; proxy_cache_use_stale updating; }
        location /background/ { ${cached} proxy_cache_valid 1s; proxy_cache_use_stale updating; proxy_cache_background_update on; }
        location /itself/ { ${cached} proxy_cache_background_update on; }
        location /revalidate/ { ${cached} proxy_cache_valid 1s; proxy_cache_revalidate on; }
        location /lock/ { ${cached} proxy_cache_valid 1h; proxy_cache_lock on; }
        location /impatient/ { ${cached} proxy_cache_valid 1h; proxy_cache_lock on; proxy_cache_lock_timeout 300ms; }
        location /young/ { ${cached} proxy_cache_valid 1h; proxy_cache_lock on; proxy_cache_lock_age 300ms; }
        location /unbuffered/ { ${cached} proxy_cache_valid 1h; proxy_buffering off; }
        location /page/ { ${cached} proxy_cache_valid any 1h; proxy_intercept_errors on; error_page 404 = /own; }
        location = /own { return 200 own; }
        location /dead/ { proxy_pass http://127.0.0.1:1; proxy_cache c; proxy_cache_valid 502 1h; add_header X-Cache "$upstream_cache_status" always; }
        location /long/ { ${cached} proxy_cache_valid 1h; proxy_cache_key $arg_k; proxy_buffer_size 1k; proxy_buffers 4 1k; }
        location /set/ { ${cached} proxy_cache_valid 1h; proxy_set_header If-Match own; }
        location /sub { auth_request /checked; error_page 404 =200 /own; }
        location /checked { ${cached} proxy_cache_valid 1h; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
  });

  const statusOf = (answer: string): string => /^X-Cache: (.*)\r$/m.exec(answer)?.[1] ?? "";
  const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4);
  /** The connection's end ends the answer, however long it takes. */
  const get = async (target: string, ...headers: string[]): Promise<readonly [status: string, body: string]> => {
    const lines = headers.map((header) => `${header}\r\n`).join("");
    const { text: answer } = await exchange(server.port, [`GET ${target} HTTP/1.0\r\n${lines}\r\n`], PATIENCE_MS);
    return [statusOf(answer), bodyOf(answer)];
  };
  const send = async (request: string): Promise<string> => (await server.exchange(request)).text;
  const asked = (target: string): number => back.seen.filter((seen) => targetOf(seen) === target).length;
  const lastAsked = (target: string): string => back.seen.findLast((seen) => targetOf(seen) === target)?.text ?? "";
  /** The next second and a little: what was fresh for one is no longer. */
  const later = (): Promise<void> => sleep(2100);

  test("an answer is fetched once, and comes from the cache then as it was", async () => {
    replies.set("/once", () => ok("once", "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", 'ETag: "1"', "X-Own: yes"));
    const first = await server.get("/once");
    assert.deepEqual([statusOf(first), bodyOf(first)], ["MISS", "once"]);
    const second = await server.get("/once");
    assert.equal(
      second.replace("X-Cache: HIT", "X-Cache: MISS").replace(/Date: .*/, ""),
      first.replace(/Date: .*/, ""),
    );
    assert.equal(asked("/once"), 1);
  });

  test("the client's conditions and ranges are answered from it, several ranges too", async () => {
    replies.set("/parts", () => ok("0123456789", 'ETag: "p"', "Accept-Ranges: bytes"));
    assert.match(
      await server.get("/parts", 'If-None-Match: "p"', "Range: bytes=1-2"),
      /^HTTP\/1.1 304 .*X-Cache: MISS/s,
    );
    assert.doesNotMatch(lastAsked("/parts"), /If-None-Match|Range/);
    assert.match(await server.get("/parts", 'If-None-Match: "p"'), /^HTTP\/1.1 304 .*X-Cache: HIT/s);
    assert.match(await server.get("/parts", 'If-Match: "q"'), /^HTTP\/1.1 412 /);
    assert.match(
      await server.get("/parts", "Range: bytes=2-4"),
      /^HTTP\/1.1 206 .*Content-Range: bytes 2-4\/10\r\n.*234$/s,
    );
    assert.match(
      await server.get("/parts", "Range: bytes=0-1,8-9"),
      /^HTTP\/1.1 206 .*\r\n\r\n01\r\n.*\r\n\r\n89\r\n/s,
    );
  });

  test("a range of an answer that is being fetched is cut out of the whole", async () => {
    replies.set("/part", () => ok("0123456789", "Accept-Ranges: bytes"));
    assert.match(await server.get("/part", "Range: bytes=2-4"), /^HTTP\/1.1 206 .*\r\n\r\n234$/s);
    assert.deepEqual(await get("/part"), ["HIT", "0123456789"]);
  });

  test("lines that the configuration sets for conditions go to the server", async () => {
    await get("/set/x");
    assert.match(lastAsked("/set/x"), /If-Match: own\r\n/);
  });

  for (const [name, lines, isKept] of SAID) {
    test(`an answer with ${lines.join(", ").slice(0, 60) || "no word about it"} is ${isKept ? "" : "not "}kept`, async () => {
      assert.deepEqual(await get(`/said/${name}`), ["MISS", name]);
      assert.deepEqual(await get(`/said/${name}`), [isKept ? "HIT" : "MISS", name]);
      const [, body] = await get(`/ignoring/said/${name}`);
      assert.equal(body, name);
      assert.equal((await get(`/ignoring/said/${name}`))[0], "HIT", "when its lines are ignored it is kept");
    });
  }

  test("proxy_cache_valid says which statuses are kept", async () => {
    replies.set("/gone", () => "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone");
    replies.set("/none", () => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    replies.set("/moved", () => "HTTP/1.1 301 x\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
    replies.set("/any/gone", () => "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone");
    replies.set("/any/500", () => "HTTP/1.1 500 x\r\nContent-Length: 1\r\n\r\nx");
    replies.set("/any/204", () => "HTTP/1.1 204 No Content\r\n\r\n");
    for (const target of ["/none", "/moved", "/any/gone", "/any/204"]) {
      assert.equal((await get(target))[0], "MISS");
      assert.equal((await get(target))[0], "HIT", target);
    }
    for (const target of ["/gone", "/any/500"]) {
      assert.equal((await get(target))[0], "MISS");
      assert.equal((await get(target))[0], "MISS", target);
    }
  });

  test("the key is what tells answers apart", async () => {
    assert.equal((await get("/key/one?k=1"))[0], "MISS");
    assert.equal((await get("/key/other?k=1"))[0], "HIT");
    assert.equal((await get("/key/one?k=2"))[0], "MISS");
    assert.equal((await get("/args?a=1"))[0], "MISS");
    assert.equal((await get("/args?a=2"))[0], "MISS");
    assert.equal((await get("/args?a=1"))[0], "HIT");
  });

  test("a text with variables chooses the cache; one that is not there is an error, none and off are no cache", async () => {
    assert.equal((await get("/named/x?zone=d"))[0], "MISS");
    assert.equal((await get("/named/x?zone=d"))[0], "HIT");
    assert.equal((await get("/named/x?zone="))[0], "");
    assert.equal((await get("/named/x?zone=off"))[0], "");
    assert.match(await server.get("/named/x?zone=e"), /^HTTP\/1.1 500 /);
    assert.match(server.log("error.log"), /cache "e" not found/);
  });

  test("proxy_cache_bypass goes past what is there and renews it, proxy_no_cache keeps nothing", async () => {
    const first = await get("/bypass/x");
    const second = await get("/bypass/x?", "X-Bypass: 1");
    assert.deepEqual([first[0], second[0]], ["MISS", "BYPASS"]);
    assert.equal((await get("/bypass/x", "X-Bypass: 0"))[0], "HIT");
    assert.equal((await get("/bypass/y", "X-Bypass: 1"))[0], "BYPASS");
    assert.equal((await get("/bypass/y"))[0], "HIT");
    assert.equal((await get("/bypass/z?never=1"))[0], "MISS");
    assert.equal((await get("/bypass/z?never=1"))[0], "MISS");
  });

  test("POST is cached where it is said to be, and nowhere else", async () => {
    const post = (target: string): Promise<string> => send(`POST ${target} HTTP/1.0\r\nContent-Length: 1\r\n\r\nx`);
    assert.equal(statusOf(await post("/post/x")), "MISS");
    assert.equal(statusOf(await post("/post/x")), "HIT");
    assert.equal(statusOf(await post("/posted")), "");
    assert.equal((await get("/posted"))[0], "MISS");
  });

  test("proxy_cache_min_uses waits until an answer is worth its room", async () => {
    const statuses: string[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await get("/uses/x"))[0]);
    assert.deepEqual(statuses, ["MISS", "MISS", "MISS", "HIT"]);
  });

  test("HEAD fetches the whole with GET, and is answered without a body", async () => {
    const head = (target: string): Promise<string> =>
      send(`HEAD ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    replies.set("/whole", () => ok("whole"));
    assert.equal(bodyOf(await head("/whole")), "");
    assert.match(lastAsked("/whole"), /^GET /);
    await until(async () => (await get("/whole"))[0] === "HIT", "the body is kept");
    assert.match(await head("/whole"), /Content-Length: 5\r\n.*X-Cache: HIT\r\n\r\n$/s);
    replies.set("/head/x", ({ text }) =>
      text.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" : ok("whole"),
    );
    assert.equal(statusOf(await head("/head/x")), "MISS");
    assert.match(lastAsked("/head/x"), /^HEAD /);
    assert.match(await head("/head/x"), /Content-Length: 5\r\n.*X-Cache: HIT\r\n\r\n$/s);
    assert.deepEqual(await get("/head/x"), ["MISS", "whole"]);
  });

  test("a request for a range that begins far behind is passed as it is", async () => {
    replies.set("/far/x", ({ text }) =>
      /^Range/m.test(text)
        ? "HTTP/1.1 206 x\r\nContent-Range: bytes 5-5/10\r\nContent-Length: 1\r\n\r\n5"
        : ok("0123456789", "Accept-Ranges: bytes"),
    );
    assert.deepEqual(await get("/far/x", "Range: bytes=5-5"), ["MISS", "5"]);
    assert.deepEqual(await get("/far/x", "Range: bytes=-1"), ["MISS", "5"]);
    assert.deepEqual(await get("/far/x", "Range: bytes=4-4"), ["MISS", "4"]);
    assert.deepEqual(await get("/far/x", "Range: bytes=5-5"), ["HIT", "5"]);
  });

  test("what is old is fetched anew, and the new answer takes its place", async () => {
    const [, first] = await get("/short/x");
    await later();
    const [status, second] = await get("/short/x");
    assert.equal(status, "EXPIRED");
    assert.notEqual(second, first);
    assert.deepEqual(await get("/short/x"), ["HIT", second]);
  });

  test("an old answer stands in for a server that fails, in the ways that are named", async () => {
    const ways: Readonly<Record<string, Reply>> = {
      error: (socket) => socket.destroy(),
      timeout: () => {},
      http_500: "HTTP/1.1 500 x\r\nContent-Length: 3\r\n\r\nbad",
      invalid: "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
      http_503: "HTTP/1.1 503 x\r\nContent-Length: 3\r\n\r\nbad",
    };
    for (const way of Object.keys(ways)) {
      replies.set(`/stale/${way}`, () => ok("good"));
      assert.deepEqual(await get(`/stale/${way}`), ["MISS", "good"]);
    }
    await later();
    for (const [way, reply] of Object.entries(ways)) {
      replies.set(`/stale/${way}`, () => reply);
      const wanted = way === "http_503" ? ["EXPIRED", "bad"] : ["STALE", "good"];
      assert.deepEqual(await get(`/stale/${way}`), wanted, way);
    }
    // Nobody is left behind as the one who renews it.
    replies.set("/stale/error", () => ok("better"));
    assert.deepEqual(await get("/stale/error"), ["EXPIRED", "better"]);
  });

  test("while one request renews an old answer, others get it", async () => {
    replies.set("/updating/x", () => ok("old"));
    await get("/updating/x");
    await later();
    let finish = (): void => {};
    replies.set("/updating/x", () => (socket) => {
      finish = () => socket.write(ok("new"));
    });
    const renewing = get("/updating/x");
    await until(() => asked("/updating/x") === 2, "it is asked for");
    assert.deepEqual(await get("/updating/x"), ["UPDATING", "old"]);
    finish();
    assert.deepEqual(await renewing, ["EXPIRED", "new"]);
    assert.deepEqual(await get("/updating/x"), ["HIT", "new"]);
  });

  test("an old answer is renewed in the background, by configuration or because it says so", async () => {
    for (const [target, lines] of [
      ["/background/x", []],
      ["/itself/x", ["Cache-Control: max-age=1, stale-while-revalidate=100"]],
    ] as const) {
      replies.set(target, () => ok("old", ...lines));
      assert.deepEqual(await get(target), ["MISS", "old"]);
      await later();
      let finish = (): void => {};
      replies.set(target, () => (socket) => {
        finish = () => socket.write(ok("new", "Cache-Control: max-age=100"));
      });
      assert.match(await send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`), /X-Cache: STALE\r\n.*old$/s);
      await until(() => asked(target) === 2, "it is asked for");
      finish();
      await until(async () => (await get(target))[1] === "new", `${target} is renewed`);
      assert.equal(asked(target), 2);
    }
  });

  test("stale-if-error lets an old answer stand in", async () => {
    replies.set("/said-stale", () => ok("old", "Cache-Control: max-age=1, stale-if-error=100"));
    assert.deepEqual(await get("/said-stale"), ["MISS", "old"]);
    await later();
    replies.set("/said-stale", () => (socket) => socket.destroy());
    assert.deepEqual(await get("/said-stale"), ["STALE", "old"]);
  });

  test("an old answer that has not changed is kept, with the times that the server says now", async () => {
    const lines = ['ETag: "r"', "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT"];
    replies.set("/revalidate/x", () => ok("same", ...lines));
    await get("/revalidate/x");
    await later();
    replies.set("/revalidate/x", ({ text }) =>
      /^If-None-Match: "r"\r$/m.test(text) && /^If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT\r$/m.test(text)
        ? "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=100\r\n\r\n"
        : ok("asked otherwise"),
    );
    assert.deepEqual(await get("/revalidate/x"), ["REVALIDATED", "same"]);
    await later();
    assert.deepEqual(await get("/revalidate/x"), ["HIT", "same"]);
    assert.match(await server.get("/revalidate/x", 'If-None-Match: "r"'), /^HTTP\/1.1 304 /);
  });

  test("variants of an answer are told apart by the lines that Vary names", async () => {
    replies.set("/varied", ({ text }) =>
      ok(/^X-Lang: (.*)\r$/im.exec(text)?.[1] ?? "none", "Vary: X-Lang, Accept-Language"),
    );
    assert.deepEqual(await get("/varied", "X-Lang: de"), ["MISS", "de"]);
    assert.deepEqual(await get("/varied", "X-Lang: en"), ["MISS", "en"]);
    assert.deepEqual(await get("/varied", "X-Lang: de"), ["HIT", "de"]);
    assert.deepEqual(await get("/varied", "X-Lang: en"), ["HIT", "en"]);
    assert.deepEqual(await get("/varied", "X-Lang: en", "Accept-Language: a, b"), ["MISS", "en"]);
    assert.deepEqual(await get("/varied", "X-Lang: en", "Accept-Language: a,,b"), ["HIT", "en"]);
    assert.deepEqual(await get("/varied"), ["MISS", "none"]);
  });

  test("with a lock one request fetches and the others wait for it", async () => {
    replies.set("/lock/x", () => (socket) => setTimeout(() => socket.write(ok("locked")), 300));
    const answers = await Promise.all(Array.from({ length: 4 }, () => get("/lock/x")));
    assert.deepEqual(answers.map(([status]) => status).sort(), ["HIT", "HIT", "HIT", "MISS"]);
    assert.equal(asked("/lock/x"), 1);
  });

  test("who has waited long enough fetches for itself, and keeps nothing", async () => {
    replies.set(
      "/impatient/x",
      (seen) => (socket) => setTimeout(() => socket.write(ok(`${back.seen.indexOf(seen)}`)), 800),
    );
    const first = get("/impatient/x");
    await until(() => asked("/impatient/x") === 1, "it is asked for");
    const second = get("/impatient/x");
    assert.equal((await second)[0], "MISS");
    const [, kept] = await first;
    assert.deepEqual(await get("/impatient/x"), ["HIT", kept]);
    assert.match(server.log("error.log"), /\[info\] .*cache lock timeout/);
  });

  test("a lock that is too old lets one more through", async () => {
    replies.set("/young/x", () => (socket) => setTimeout(() => socket.write(ok("late")), 900));
    const all = Promise.all([get("/young/x"), get("/young/x"), get("/young/x")]);
    await until(() => asked("/young/x") >= 2, "a second one is let through");
    assert.ok((await all).every(([, body]) => body === "late"));
  });

  test("who waits for a lock goes on when the fetching one fails", async () => {
    let calls = 0;
    replies.set("/lock/failing", () =>
      calls++ === 0 ? (socket) => setTimeout(() => socket.destroy(), 200) : ok("second"),
    );
    const first = server.get("/lock/failing");
    await until(() => asked("/lock/failing") === 1, "it is asked for");
    const second = get("/lock/failing");
    assert.match(await first, /^HTTP\/1.1 502 /);
    assert.deepEqual(await second, ["MISS", "second"]);
  });

  test("an answer is kept to its end though its client has gone", async () => {
    let finish = (): void => {};
    replies.set("/leaving", () => (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
      finish = () => socket.write("half");
    });
    const client = net.connect(server.port, "127.0.0.1", () => client.write("GET /leaving HTTP/1.0\r\n\r\n"));
    await until(() => asked("/leaving") === 1, "it is asked for");
    client.destroy();
    await sleep(200);
    finish();
    await until(async () => (await get("/leaving"))[0] === "HIT", "the whole is there");
    assert.deepEqual(await get("/leaving"), ["HIT", "halfhalf"]);
    assert.equal(asked("/leaving"), 1);
  });

  test("an answer that ends too early is not kept; one in chunks and one until the end are", async () => {
    replies.set("/early", () => (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
    replies.set(
      "/chunks",
      () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    replies.set("/end", () => (socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nto the end"));
    replies.set(
      "/bad-chunks",
      () => (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX"),
    );
    for (const [target, wanted] of [
      ["/early", "MISS"],
      ["/chunks", "HIT"],
      ["/end", "HIT"],
      ["/bad-chunks", "MISS"],
    ] as const) {
      const [, body] = await get(target);
      assert.deepEqual(await get(target), [wanted, body], target);
    }
  });

  test("large answers come from the cache whole, to slow clients too", async () => {
    const body = "0123456789".repeat(300_000);
    replies.set("/large", () => ok(body));
    assert.equal((await get("/large"))[1], body);
    assert.deepEqual(
      (await get("/large")).map((text) => text.length),
      [3, body.length],
    );
  });

  test("unbuffered answers are not kept", async () => {
    await get("/unbuffered/x");
    assert.equal((await get("/unbuffered/x"))[0], "MISS");
  });

  test("an error that a page of ours answers is remembered", async () => {
    replies.set("/page/x", () => "HTTP/1.1 404 x\r\nContent-Length: 1\r\n\r\nx");
    assert.match(await server.get("/page/x"), /^HTTP\/1.1 200 .*own$/s);
    assert.match(await server.get("/page/x"), /^HTTP\/1.1 200 .*own$/s);
    assert.equal(asked("/page/x"), 1);
  });

  test("a server that can't be reached is remembered", async () => {
    assert.match(await server.get("/dead/x"), /^HTTP\/1.1 502 .*X-Cache: MISS/s);
    assert.match(await server.get("/dead/x"), /^HTTP\/1.1 502 .*X-Cache: HIT/s);
  });

  test("a key for which there is no room in the buffer is said so, and the answer passes", async () => {
    const [status, body] = await get(`/long/x?k=${"k".repeat(600)}`);
    assert.deepEqual([status, body.slice(0, 6)], ["", "answer"]);
    assert.match(
      server.log("error.log"),
      /proxy_buffer_size 1024 is not enough for cache key, it should be increased to at least 2048/,
    );
  });

  test("an answer's head has the room that the key leaves", async () => {
    replies.set("/long/head", () => ok("x", `X-Long: ${"y".repeat(700)}`));
    assert.match(await server.get("/long/head?k=head"), /^HTTP\/1.1 502 /);
    assert.match(server.log("error.log"), /upstream sent too big header/);
  });

  test("X-Accel-Redirect in an answer that is kept leads there each time", async () => {
    replies.set("/accel", () => ok("", "X-Accel-Redirect: /own", "Cache-Control: max-age=60"));
    assert.match(await server.get("/accel"), /own$/);
    assert.match(await server.get("/accel"), /own$/);
  });

  test("an answer without a head is kept as it is", async () => {
    replies.set("/any/0.9", () => (socket) => socket.end("no head at all"));
    const first = await server.get("/any/0.9");
    assert.equal(await server.get("/any/0.9"), first);
    assert.equal(asked("/any/0.9"), 1);
  });

  test("subrequests have their cache, too", async () => {
    for (let i = 0; i < 3; i++) assert.match(await server.get("/sub"), /own$/);
    assert.equal(asked("/checked"), 1);
  });

  test("nobody has found anything wrong", () => {
    assert.doesNotMatch(server.log("error.log"), /\[(alert|emerg)\]/);
  });
});
