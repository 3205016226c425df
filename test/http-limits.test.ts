/** limit_req and limit_conn of one worker: statuses, delays, several limits at once, what the log says. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok } from "./support/back-end.ts";
import { KeepAliveClient } from "./support/keep-alive-client.ts";
import { until } from "./support/server-process.ts";

/** Slow enough for a test never to see a second request pass: a request in 50 minutes. */
const CONF = `
  log_format st '$uri $status [$limit_req_status] [$limit_conn_status]'; access_log logs/st.log st;
  limit_req_zone $arg_k zone=slow:64k rate=1r/m;
  limit_req_zone $arg_j zone=other:64k rate=1r/m;
  limit_req_zone $arg_k zone=fast:64k rate=20r/s;
  limit_req_zone $arg_k$arg_j zone=both:64k rate=1r/m;
  limit_conn_zone $arg_k zone=conns:64k;
  limit_conn_zone $arg_j zone=more:64k;
  server { listen 127.0.0.1:%PORT%;
    location /slow/ { limit_req zone=slow; }
    location /status/ { limit_req zone=slow; limit_req_status 429; limit_req_log_level warn; limit_conn conns 1; }
    location /burst/ { limit_req zone=slow burst=2 nodelay; }
    location /part/ { limit_req zone=fast burst=100 delay=1; }
    location /delay/ { limit_req zone=fast burst=5; proxy_pass http://%BACK%; }
    location /long/ { limit_req zone=slow burst=5; proxy_pass http://%BACK%; }
    location /two/ { limit_req zone=slow burst=1 nodelay; limit_req zone=other; }
    location /dry/ { limit_req zone=slow; limit_req_dry_run on; limit_conn conns 1; limit_conn_dry_run on; proxy_pass http://%BACK%; }
    location /dry/delay { limit_req zone=fast burst=5; limit_req_dry_run on; }
    location /inner/ { limit_req zone=both; try_files /none /rate/inside; }
    location /rate/ { limit_req zone=both; }
    location /sub/ { limit_req zone=both; mirror /mirrored; }
    location = /mirrored { limit_req zone=both; internal; }
    location /conns/ { limit_conn conns 1; limit_conn more 2; limit_conn_status 429; limit_conn_log_level info; proxy_pass http://%BACK%; }
    location /off/ { error_page 503 = /else; limit_req zone=slow; }
    location = /else { return 200 "else $limit_req_status"; }
  }`;

const FILES = Object.fromEntries(
  ["slow", "status", "burst", "part", "two", "dry", "rate", "sub", "off"].map((name) => [`html/${name}/f`, name]),
);

describe("limits", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;
  let client: KeepAliveClient;
  const statuses = async (target: string, count: number): Promise<number[]> => {
    const found: number[] = [];
    for (let i = 0; i < count; i++) found.push((await client.get(target)).status);
    return found;
  };
  /** The last line of the error log with this text, without what differs from run to run. */
  const logged = (text: string): string | undefined =>
    server
      .log("error.log")
      .split("\n")
      .filter((line) => line.includes(text))
      .at(-1)
      ?.replace(/^.*?(\[\w+\]) .*?\*\d+ /, "$1 ")
      .replace(/, client: .*/, "");
  const accessed = (uri: string): string[] =>
    server
      .log("st.log")
      .split("\n")
      .filter((line) => line.startsWith(`${uri} `))
      .map((line) => line.slice(uri.length + 1));

  before(async () => {
    back = await BackEnd.listen(({ text }) => (text.includes("slow=") ? () => {} : ok("back")));
    server = await TestServer.start(CONF.replaceAll("%BACK%", back.address), { files: FILES });
    client = await KeepAliveClient.connect(server.port);
  });
  after(async () => {
    client.close();
    await server.stop();
    await back.close();
  });

  test("a second request of the same key is refused, others and those without a key are not", async () => {
    assert.deepEqual(await statuses("/slow/f?k=a", 3), [200, 503, 503]);
    assert.deepEqual(await statuses("/slow/f?k=b", 1), [200]);
    assert.deepEqual(await statuses("/slow/f", 3), [200, 200, 200]);
    const message = logged("limiting requests") ?? "";
    assert.match(message, /^\[error\] limiting requests, excess: (1\.000|0\.9\d\d) by zone "slow"$/);
    assert.deepEqual(accessed("/slow/f").slice(0, 2), ["200 [PASSED] [-]", "503 [REJECTED] [-]"]);
    assert.equal(accessed("/slow/f").at(-1), "200 [-] [-]");
  });

  test("status and level are the configuration's, and limit_conn isn't asked about a refused request", async () => {
    assert.deepEqual(await statuses("/status/f?k=s", 2), [200, 429]);
    assert.match(logged('excess: 1.000 by zone "slow"') ?? logged("excess: 0.9") ?? "", /^\[(warn|error)\]/);
    assert.deepEqual(accessed("/status/f"), ["200 [PASSED] [PASSED]", "429 [REJECTED] [-]"]);
  });

  test("a burst passes without delay", async () => {
    assert.deepEqual(await statuses("/burst/f?k=n", 4), [200, 200, 200, 503]);
  });

  test("requests beyond the delay wait until there is room, and the log says so with one level less", async () => {
    const begun = performance.now();
    assert.deepEqual(await statuses("/delay/f?k=d", 4), [200, 200, 200, 200]);
    assert.ok(performance.now() - begun >= 140, "three of them waited for 50 ms each");
    assert.match(logged("delaying request") ?? "", /^\[warn\] delaying request, excess: \d\.\d{3}, by zone "fast"$/);
    assert.deepEqual(accessed("/delay/f").slice(0, 2), ["200 [PASSED] [-]", "200 [DELAYED] [-]"]);
    assert.deepEqual(await statuses("/part/f?k=p", 2), [200, 200]);
    assert.deepEqual(accessed("/part/f"), ["200 [PASSED] [-]", "200 [PASSED] [-]"]);
  });

  test("a client that goes while its request waits is told of in the log, and nothing else happens", async () => {
    await client.get("/long/gone?k=e");
    const other = await KeepAliveClient.connect(server.port);
    other.send("/long/gone?k=e");
    await until(
      () => logged("delaying request") !== undefined && server.log("error.log").includes("/long/gone"),
      "it waits",
    );
    other.close();
    await until(() => accessed("/long/gone").length === 2, "it is logged");
    assert.equal(accessed("/long/gone")[1], "499 [DELAYED] [-]");
  });

  test("of several limits the strictest refuses, and the request then counts in none", async () => {
    assert.deepEqual(await statuses("/two/f?k=t&j=x", 2), [200, 503]);
    assert.match(logged('by zone "other"') ?? "", /limiting requests/);
    // The refused one has not used up the burst of the first zone.
    assert.deepEqual(await statuses("/two/f?k=t&j=y", 1), [200]);
    assert.deepEqual(await statuses("/two/f?k=t&j=z", 1), [503]);
    assert.match(logged('by zone "slow"') ?? "", /limiting requests/);
    assert.deepEqual(await statuses("/two/f?k=u", 2), [200, 200], "a zone without key doesn't count");
  });

  test("a dry run says what would have been", async () => {
    assert.deepEqual(await statuses("/dry/f?k=r", 2), [200, 200]);
    assert.match(logged("dry run, excess") ?? "", /^\[error\] limiting requests, dry run, excess: .* by zone "slow"$/);
    assert.deepEqual(accessed("/dry/f"), ["200 [PASSED] [PASSED]", "200 [REJECTED_DRY_RUN] [PASSED]"]);
    await statuses("/dry/delay?k=r", 2);
    assert.equal(accessed("/dry/delay")[1], "404 [DELAYED_DRY_RUN] [-]");
    const other = await KeepAliveClient.connect(server.port);
    other.send("/dry/held?k=h&slow=1");
    await until(() => back.last.includes("/dry/held"), "one is under way");
    assert.deepEqual(await statuses("/dry/f?k=h", 1), [200]);
    assert.match(logged("dry run, by zone") ?? "", /^\[error\] limiting connections, dry run, by zone "conns"$/);
    assert.match(accessed("/dry/f").at(-1) ?? "", /\[REJECTED_DRY_RUN\]$/);
    other.close();
  });

  test("a request is asked once, however it is redirected, and its subrequests are not", async () => {
    assert.deepEqual(await statuses("/inner/f?k=i", 1), [404]);
    assert.deepEqual(await statuses("/sub/f?k=m", 1), [200]);
    assert.deepEqual(await statuses("/off/f?k=o", 1), [200]);
    assert.equal((await client.get("/off/f?k=o")).body, "else REJECTED");
  });

  test("connections count while their request is under way, in every zone or in none", async () => {
    const held = await KeepAliveClient.connect(server.port);
    held.send("/conns/held?k=c&j=1&slow=1");
    await until(() => back.last.includes("/conns/held"), "one is under way");
    assert.deepEqual(await statuses("/conns/f?k=c&j=2", 1), [429]);
    assert.equal(logged("limiting connections by"), '[info] limiting connections by zone "conns"');
    assert.deepEqual(await statuses("/conns/f?k=d&j=1", 3), [200, 200, 200]);
    const second = await KeepAliveClient.connect(server.port);
    second.send("/conns/second?k=e&j=1&slow=1");
    await until(() => back.last.includes("/conns/second"), "two are under way");
    assert.deepEqual(await statuses("/conns/f?k=f&j=1", 1), [429]);
    assert.equal(logged("limiting connections by"), '[info] limiting connections by zone "more"');
    second.close();
    await until(async () => (await client.get("/conns/f?k=f&j=1")).status === 200, "it is free again, in both zones");
    held.close();
    await until(async () => (await client.get("/conns/f?k=c&j=2")).status === 200, "the first one, too");
    assert.deepEqual(await statuses(`/conns/f?k=${"x".repeat(256)}`, 1), [200]);
    assert.match(
      logged("is more than 255 bytes") ?? "",
      /^\[error\] the value of the "\$arg_k" key is more than 255 bytes: "x+"$/,
    );
  });
});
