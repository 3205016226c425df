/** Active health checks with real back ends: who gets requests, when it stops, when it comes back, and what the log says. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok, type Seen } from "./support/back-end.ts";

/** How a back end answers checks, and what it has been asked by them. */
class Patient {
  back!: BackEnd;
  health = ok("fine", "X-State: ready");
  readonly letter: string;
  /** Answers to `/health/held`. */
  readonly held: (() => void)[] = [];

  constructor(letter: string) {
    this.letter = letter;
  }

  async listen(): Promise<this> {
    this.back = await BackEnd.listen(({ text }) => {
      if (text.startsWith("GET /health/held")) return (socket) => this.held.push(() => socket.write(this.health));
      return text.startsWith("GET /health") ? this.health : ok(this.letter);
    });
    return this;
  }

  get checks(): readonly Seen[] {
    return this.back.seen.filter(({ text }) => text.startsWith("GET /health"));
  }
}

describe("health_check", { timeout: 60_000 }, () => {
  const a = new Patient("a");
  const b = new Patient("b");
  let server: TestServer;

  before(async () => {
    await Promise.all([a.listen(), b.listen()]);
    const [one, two] = [a.back.address, b.back.address];
    const port = (address: string): string => address.split(":")[1] as string;
    server = await TestServer.start(
      `map $upstream_http_x_state $is_ready { ready 1; }
      match good { status 200-299 304; header X-State ~ ^(ready|busy)$; header ! X-Gone; body ~ fine; body !~ "maintenance"; require $is_ready; }
      upstream plain { zone plain 64k; server ${one}; server ${two}; }
      upstream matched { zone matched 64k; server ${one}; server ${two}; }
      upstream strict { zone strict 64k; server ${one}; }
      upstream dead { zone dead 64k; server 127.0.0.1:1; server ${two}; }
      upstream other { zone other 64k; server 127.0.0.1:1; }
      upstream tcp { zone tcp 64k; server ${one}; server 127.0.0.1:1; }
      upstream slow { zone slow 64k; server ${one}; server ${two}; }
      server { listen 127.0.0.1:%PORT%;
        location /plain/ { proxy_pass http://plain/; proxy_set_header X-Probe $scheme; health_check uri=/health interval=50ms fails=2 passes=2 keepalive_time=1h; }
        location /matched/ { proxy_pass http://matched/; health_check uri=/health interval=50ms match=good; }
        location /strict/ { proxy_pass http://strict/; proxy_read_timeout 1s; health_check mandatory uri=/health/held interval=50ms; }
        location /dead/ { proxy_pass http://dead/; proxy_connect_timeout 1s; health_check uri=/health interval=50ms jitter=10ms; }
        location /other/ { proxy_pass http://other/; proxy_next_upstream off; health_check uri=/health interval=50ms port=${port(one)}; }
        location /tcp/ { proxy_pass http://tcp/; health_check type=tcp interval=50ms; }
      }`,
      { workers: 2 },
    );
  });
  after(async () => {
    await server.stop();
    for (const { back } of [a, b]) back.close();
  });

  const letters = async (target: string, count = 6): Promise<string> => {
    let text = "";
    for (let i = 0; i < count; i++) text += (await server.get(target)).slice(-1);
    return [...new Set(text)].sort().join("");
  };
  const until = async (what: () => Promise<boolean> | boolean): Promise<void> => {
    for (let tries = 0; tries < 500; tries++) {
      if (await what()) return;
      await sleep(30);
    }
    assert.fail(`did not come: ${what}`);
  };
  const logged = (text: string): Promise<void> => until(() => server.log("error.log").includes(text));

  test("a peer that fails gets no requests until it has passed again, and the log says why", async () => {
    assert.equal(await letters("/plain/"), "ab");
    b.health = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    await logged(
      `peer is unhealthy while checking status code, health check "" of peer ${b.back.address} in upstream "plain"`,
    );
    assert.equal(await letters("/plain/"), "a");
    b.health = ok("fine", "X-State: ready");
    await logged(`peer is healthy, health check "" of peer ${b.back.address} in upstream "plain"`);
    assert.equal(await letters("/plain/"), "ab");
  });

  test("a check asks as the location would, on one connection while keepalive_time lasts", async () => {
    const mine = (): readonly Seen[] => a.checks.filter(({ text }) => text.includes("Host: plain"));
    await until(() => mine().length > 4);
    assert.equal(mine().at(-1)?.text, "GET /health HTTP/1.1\r\nHost: plain\r\nX-Probe: http\r\n\r\n");
    assert.equal(new Set(mine().map(({ connection }) => connection)).size, 1);
    const others = a.checks.filter(({ text }) => text.includes("Host: matched"));
    assert.equal(new Set(others.map(({ connection }) => connection)).size, others.length);
  });

  for (const [what, health] of [
    ["status code", ok("fine", "X-State: ready").replace("200 OK", "302 Found")],
    ["header", ok("fine", "X-State: asleep")],
    ["header", ok("fine", "X-State: ready", "X-Gone: yes")],
    ["body", ok("bad", "X-State: ready")],
    ["body", ok("fine: maintenance", "X-State: ready")],
    ["variable", ok("fine", "X-State: busy")],
  ] as const) {
    test(`match looks at the ${what}: ${health.replaceAll("\r\n", " ")}`, async () => {
      const line = `peer is unhealthy while checking ${what}, health check "good" of peer ${b.back.address}`;
      const count = (): number => server.log("error.log").split(line).length;
      const before = count();
      b.health = health;
      await until(() => count() > before);
      assert.equal(await letters("/matched/"), "a");
      b.health = ok("fine", "X-State: ready");
      await until(async () => (await letters("/matched/")) === "ab");
    });
  }

  test("nobody is asked before the first check when it is mandatory, and an answer that is too slow is none", async () => {
    await until(() => a.held.length > 0);
    assert.match(await server.get("/strict/"), /^HTTP\/1.1 502/);
    await until(async () => {
      // The first ones may have been given up meanwhile.
      for (const answer of a.held.splice(0)) answer();
      return (await server.get("/strict/")).startsWith("HTTP/1.1 200");
    });
    await logged(
      `peer is unhealthy while reading response header from upstream, health check "" of peer ${a.back.address}`,
    );
    assert.match(
      server.log("error.log"),
      /upstream timed out \(110: Connection timed out\) while reading response header from/,
    );
  });

  test("a peer that can't be connected to is unhealthy, and so is never tried", async () => {
    await logged(`while connecting to upstream, health check "" of peer 127.0.0.1:1 in upstream "dead"`);
    assert.equal(await letters("/dead/"), "b");
    assert.match(
      server.log("error.log"),
      /connect\(\) failed \(111: Connection refused\) while connecting to upstream, health check/,
    );
    assert.doesNotMatch(server.log("error.log"), /request: "GET \/dead/);
  });

  test("port= asks another port than requests go to", async () => {
    await until(() => a.checks.some(({ text }) => text.includes("Host: other")));
    assert.doesNotMatch(server.log("error.log"), /in upstream "other"/);
  });

  test("type=tcp is content with a connection", async () => {
    await logged(
      `peer is unhealthy while connecting to upstream, health check "" of peer 127.0.0.1:1 in upstream "tcp"`,
    );
    assert.equal(await letters("/tcp/"), "a");
  });

  test("all workers know what one has found, and when that one is killed another goes on", async () => {
    b.health = "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n";
    await until(async () => (await letters("/matched/")) === "a");
    const checker = /(\d+)#\d+: peer is unhealthy/.exec(server.log("error.log"))?.[1];
    process.kill(Number(checker), "SIGKILL");
    await logged(`worker process ${checker} exited on signal 9`);
    assert.equal(await letters("/matched/", 12), "a");
    const checks = b.checks.length;
    await until(() => b.checks.length > checks + 5);
    assert.equal(await letters("/matched/", 12), "a");
    b.health = ok("fine", "X-State: ready");
    await until(async () => (await letters("/matched/")) === "ab");
  });

  test("a reload forgets no unhealthy peer", async () => {
    b.health = "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n";
    await until(async () => (await letters("/matched/")) === "a");
    const line = `of peer ${b.back.address} in upstream "matched"`;
    const before = server.log("error.log").split(line).length;
    server.signal("SIGHUP");
    await logged("gracefully shutting down");
    await until(() => server.log("error.log").includes("exited with code 0"));
    const seen = b.back.seen.length;
    assert.equal(await letters("/matched/"), "a");
    assert.ok(b.back.seen.slice(seen).every(({ text }) => text.startsWith("GET /health")));
    assert.equal(server.log("error.log").split(line).length, before, "it is not found unhealthy once more");
    b.health = ok("fine", "X-State: ready");
    await until(async () => (await letters("/matched/")) === "ab");
  });
});
