/** The examples run, and do what their files and READMEs say: under Tandem, and the same under the nginx of this machine. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { type Behaviour, Example } from "./support/example.ts";
import { findNginx } from "./support/nginx-binary.ts";
import { type Program, TANDEM_NGINX, until } from "./support/server-process.ts";

const nginx = findNginx();
const PROGRAMS: readonly (readonly [string, Program, string | false])[] = [
  ["Tandem", TANDEM_NGINX, false],
  ["nginx", [nginx ?? ""], nginx === undefined && "nginx is not installed"],
];

/** What this machine lets a process have open, unless it may raise that. */
const [, mostOpenFiles = "0"] = /^Max open files +\d+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];

/** A limit that a container keeps from everybody, root too, says nothing about the example. */
const isOfMachine = (line: string): boolean => {
  const [, wanted = "0"] = /setrlimit\(RLIMIT_NOFILE, (\d+)\) failed \(1: Operation not permitted\)/.exec(line) ?? [];
  return Number(wanted) > Number(mostOpenFiles);
};

/** Runs the tests of an example under each program. */
function exampleTests(name: string, behave: Behaviour, tests: (example: () => Example) => void): void {
  for (const [program, command, skip] of PROGRAMS)
    describe(`examples/${name} under ${program}`, { timeout: 60_000, skip }, () => {
      let example: Example;
      before(async () => {
        example = await Example.start(name, command, behave);
      });
      after(() => {
        const alarms = example.server.log.split("\n").filter((line) => /\[(alert|emerg|crit)\]/.test(line));
        example.stop();
        assert.deepEqual(
          alarms.filter((line) => !isOfMachine(line)),
          [],
        );
      });
      tests(() => example);
    });
}

/** Raw bytes to a port, everything that comes until it closes; "(reset)" behind it when it was no orderly end. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("end", () => resolve(text));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? resolve(`${text}(reset)`) : reject(error),
    );
  });
}

const webApplication: Behaviour = ({ url, backEnd }, response) => {
  if (url === "/missing") response.writeHead(404).end("the application's own 404");
  else if (url === "/busy" && backEnd === 9001) response.writeHead(503).end("busy");
  else if (url === "/list") response.writeHead(200, { "content-type": "application/json" }).end("x".repeat(5000));
  else return false;
  return true;
};

exampleTests("web-application", webApplication, (example) => {
  const ask = (target: string, headers: Record<string, string> = {}) =>
    example().ask(8080, "www.example.com", target, { headers });

  test("other names: reset without a byte, or sent on", async () => {
    assert.equal(await raw(example().port(8080), "GET / HTTP/1.1\r\nHost: who.example\r\n\r\n"), "(reset)");
    const { status, headers } = await example().ask(8080, "old.example.com", "/a?b");
    assert.deepEqual([status, headers.location], [301, "http://www.example.com/a?b"]);
  });

  test("old addresses are rewritten, hidden files are not shown", async () => {
    assert.match((await ask("/blog/2019/07/nginx")).headers.location ?? "", /\/articles\/2019-07-nginx$/);
    assert.equal((await ask("/.git/config")).status, 403);
  });

  test("static files have their type and may be kept, with the headers of the site", async () => {
    const { status, headers } = await ask("/assets/site.css");
    assert.deepEqual([status, headers["content-type"], headers["x-frame-options"]], [200, "text/css", "SAMEORIGIN"]);
    assert.match(headers["cache-control"] ?? "", /max-age=315360000/);
    assert.equal((await ask("/assets/none.css")).status, 404);
  });

  test("pages come from the application, which is told who asks", async () => {
    const { body, headers } = await ask("/articles/1?x=y", { "X-Forwarded-For": "192.0.2.7" });
    assert.match(body, /^hello from 900[12]$/);
    const seen = example().last(9001, 9002);
    assert.equal(seen?.url, "/articles/1?x=y");
    assert.equal(seen?.headers.host, "www.example.com");
    assert.equal(seen?.headers["x-forwarded-for"], "192.0.2.7, 127.0.0.1");
    assert.equal(seen?.headers["x-request-id"], headers["x-request-id"]);
    assert.match(`${headers["x-request-id"]}`, /^[0-9a-f]{32}$/);
  });

  test("/api/ goes to the other group, without its prefix", async () => {
    assert.match((await ask("/api/things?id=3")).body, /^hello from 900[34]$/);
    assert.equal(example().last(9003, 9004)?.url, "/things?id=3");
  });

  test("answers are compressed for those who take it", async () => {
    const { headers } = await ask("/list", { "Accept-Encoding": "gzip" });
    assert.deepEqual([headers["content-encoding"], headers.vary], ["gzip", "Accept-Encoding"]);
    assert.equal((await ask("/list")).headers["content-encoding"], undefined);
  });

  test("errors of the application get the site's pages; a busy server is not the last word", async () => {
    const { status, body } = await ask("/missing");
    assert.equal(status, 404);
    assert.match(body, /<title>Not here<\/title>/);
    for (let i = 0; i < 4; i++) assert.equal((await ask("/busy")).body, "hello from 9002");
    assert.equal((await ask("/404.html")).status, 404);
  });

  test("a password may be tried six times in a row, not seven times", async () => {
    const answers = [];
    for (let i = 0; i < 7; i++) answers.push(await ask("/login"));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 200, 429],
    );
    assert.equal(answers[6]?.headers["retry-after"], "60");
    assert.equal((await ask("/other")).status, 200);
  });

  test("a WebSocket goes through", async () => {
    assert.equal(await example().echo(8080, "www.example.com", "/live/feed", "ping"), "ping");
  });

  test("maintenance: a file closes the site, but not its health check", async () => {
    const file = example().server.file("html/maintenance");
    writeFileSync(file, "");
    const { status, body } = await ask("/");
    assert.equal(status, 503);
    assert.match(body, /<title>Back in a moment<\/title>/);
    assert.equal((await ask("/health")).body, "ok\n");
    rmSync(file);
    assert.equal((await ask("/")).status, 200);
  });

  test("without the application there is a page", async () => {
    await example().kill(9001);
    assert.equal((await ask("/x")).body, "hello from 9002");
    await example().kill(9002);
    const { status, body, headers } = await ask("/x");
    assert.equal(status, 502);
    assert.match(body, /<title>Back in a moment<\/title>/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  });

  test("the log is a line of JSON for each request, without the health checks", async () => {
    await example().server.quit();
    const log = example().server.read("logs/access.log").trim().split("\n");
    const lines = log.map((line) => JSON.parse(line) as { request: string; status: number; upstream: string });
    assert.ok(lines.length > 10);
    assert.ok(lines.some(({ request, status }) => request === "GET /missing HTTP/1.1" && status === 404));
    assert.ok(!lines.some(({ request }) => /GET \/(health|assets\/site)/.test(request)));
    // A busy server and the one that answered instead.
    assert.ok(lines.some(({ upstream }) => /^127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+$/.test(upstream)));
  });
});

const apiGateway: Behaviour = ({ backEnd, headers }, response) => {
  if (backEnd !== 9101) return false;
  const isKnown = headers.authorization === "Bearer good";
  response.writeHead(isKnown ? 200 : 401, isKnown ? { "x-caller": "alice" } : {}).end();
  return true;
};

exampleTests("api-gateway", apiGateway, (example) => {
  const HOST = "api.example.com";
  const good = { Authorization: "Bearer good" };
  const ask = (target: string, headers: Record<string, string> = good, more: { method?: string; body?: string } = {}) =>
    example().ask(8081, HOST, target, { headers, ...more });

  test("nobody comes in without being known; the answer is JSON", async () => {
    const { status, body, headers } = await ask("/v1/orders", {});
    assert.equal(status, 401);
    assert.deepEqual(Object.keys(JSON.parse(body)), ["error", "id"]);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(example().last(9102, 9103, 9104), undefined);
    assert.equal(example().last(9101)?.headers["x-original-uri"], "/v1/orders");
  });

  test("orders get the caller's name instead of credentials, the version, and the rest of the path", async () => {
    const { status, body } = await ask("/v2/orders/7?full=1", { ...good, "X-Release": "stable" });
    assert.equal(status, 200);
    assert.match(body, /^hello from 910[23]$/);
    const seen = example().last(9102, 9103);
    assert.equal(seen?.url, "/orders/7?full=1");
    assert.deepEqual([seen?.headers["x-caller"], seen?.headers["x-api-version"]], ["alice", "2"]);
  });

  test("the next release can be asked for", async () => {
    assert.equal((await ask("/v1/orders", { ...good, "X-Release": "next" })).body, "hello from 9104");
  });

  test("a copy of each order goes to the test system, with its body", async () => {
    await ask("/v1/orders", { ...good, "X-Release": "stable" }, { method: "POST", body: "one book" });
    await until(() => example().last(9108)?.body === "one book", "the copy");
    assert.equal(example().last(9102, 9103)?.body, "one book");
    assert.equal(example().last(9108)?.url, "/v1/orders");
  });

  test("events are a WebSocket, always to the same server for one caller", async () => {
    for (let i = 0; i < 3; i++)
      assert.equal(await example().echo(8081, HOST, "/v1/events", `event ${i}`, good), `event ${i}`);
    const servers = example().seen.filter(({ backEnd }) => backEnd === 9105 || backEnd === 9106);
    assert.equal(new Set(servers.map(({ backEnd }) => backEnd)).size, 1);
    assert.equal(servers.length, 3);
  });

  test("browsers of our own origins may ask, others not", async () => {
    const asking = (origin: string) => ask("/v1/orders/x", { Origin: origin }, { method: "OPTIONS" });
    assert.equal((await ask("/v1/things", { Origin: "https://app.example.com" }, { method: "OPTIONS" })).status, 204);
    const mine = await asking("https://shop.example.com");
    assert.equal(mine.headers["access-control-allow-origin"], "https://shop.example.com");
    assert.equal((await asking("https://example.com.evil.net")).headers["access-control-allow-origin"], undefined);
  });

  test("a large upload passes where uploads belong, and nowhere else", async () => {
    const body = "x".repeat(3_000_000);
    assert.equal((await ask("/v1/files/report", good, { method: "PUT", body })).status, 200);
    assert.equal(example().last(9107)?.body.length, body.length);
    assert.equal(example().last(9107)?.url, "/report");
    const refused = await ask("/v1/orders", good, { method: "POST", body });
    assert.deepEqual([refused.status, JSON.parse(refused.body).error], [413, "too large"]);
  });

  test("a caller who asks too often waits, others don't", async () => {
    const busy = { Authorization: "Bearer busy" };
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await ask("/v1/orders", busy)).status));
    assert.ok(statuses.filter((status) => status === 429).length >= 20, `${statuses}`);
    assert.deepEqual(new Set(statuses), new Set([401, 429]));
    assert.equal((await ask("/v1/orders")).status, 200);
  });

  test("the status page is for this machine", async () => {
    assert.match((await ask("/status", {})).body, /^Active connections: \d+/);
  });

  test("what is not there, and a service that is down", async () => {
    assert.deepEqual([(await ask("/v3/orders")).status, (await ask("/v1/none")).status], [404, 404]);
    for (const port of [9102, 9103]) await example().kill(port);
    const { status, body } = await ask("/v1/orders", { ...good, "X-Release": "stable" });
    assert.deepEqual([status, JSON.parse(body).error], [503, "unavailable"]);
    await example().kill(9101);
    assert.equal((await ask("/v1/orders")).status, 503);
  });
});

const services: Behaviour = ({ url, backEnd, headers }, response) => {
  if (url === "/find?q=slow") response.writeHead(500).end("broken");
  else if (url === "/login") {
    const cookie = { "set-cookie": "session=1; Path=/", location: `http://${headers.host}/basket/` };
    response.writeHead(302, cookie).end();
  } else if (url.startsWith("/admin")) response.end(`admin of ${backEnd} for ${headers["x-real-ip"]}`);
  else return false;
  return true;
};

exampleTests("services", services, (example) => {
  const HOST = "www.example.com";
  const ask = (target: string, headers: Record<string, string> = {}) => example().ask(8082, HOST, target, { headers });

  test("the client is who the trusted balancer says", async () => {
    const forwarded = { "X-Forwarded-For": "203.0.113.9, 198.51.100.4, 10.1.1.1", "X-Forwarded-Proto": "https" };
    assert.equal((await ask("/whoami", forwarded)).body, "198.51.100.4 outside https\n");
    assert.equal((await ask("/whoami")).body, "127.0.0.1 inside http\n");
  });

  test("the PROXY protocol says it as well", async () => {
    const request = `GET /whoami HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
    const text = await raw(example().port(8083), `PROXY TCP4 192.168.7.7 10.0.0.1 4711 80\r\n${request}`);
    assert.match(text, /\r\n\r\n192\.168\.7\.7 office http\n$/);
  });

  test("files are files, every other path is the page", async () => {
    const css = await ask("/app/site.css");
    assert.equal(css.headers["content-type"], "text/css");
    assert.match(`${css.headers["cache-control"]}`, /immutable/);
    const page = await ask("/products/42");
    assert.equal(page.status, 200);
    assert.match(page.body, /<title>Shop<\/title>/);
    assert.equal(page.headers["cache-control"], "no-cache");
  });

  test("a basket stays where it is", async () => {
    const servers = new Set<string>();
    for (let i = 0; i < 5; i++) servers.add((await ask("/basket/show", { Cookie: "session=abc" })).body);
    assert.equal(servers.size, 1);
    const { status, headers } = await ask("/basket/login");
    assert.deepEqual([status, headers["set-cookie"]], [302, ["session=1; Path=/; HttpOnly; SameSite=Lax"]]);
    assert.match(headers.location ?? "", /\/basket\/$/);
  });

  test("a search that fails rests", async () => {
    assert.match((await ask("/search?q=nginx")).body, /^hello from 920[45]$/);
    const { status, body, headers } = await ask("/search?q=slow");
    assert.deepEqual([status, headers["retry-after"], JSON.parse(body).results], [200, "5", []]);
  });

  test("when both searching servers are gone the third one helps out", async () => {
    for (const port of [9204, 9205]) await example().kill(port);
    assert.equal((await ask("/search?q=x")).body, "hello from 9206");
  });

  test("administration is for those inside", async () => {
    assert.equal((await ask("/admin/users", { "X-Forwarded-For": "203.0.113.9" })).status, 403);
    assert.match(
      (await ask("/admin/users", { "X-Forwarded-For": "192.168.3.3" })).body,
      /^admin of 920\d for 192\.168\.3\.3$/,
    );
  });
});
