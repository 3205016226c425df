/** Balancing methods and sticky sessions as clients see them, with real back ends: who answers, how often, and who answers again. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { exchange, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const BACK_ENDS = 3;

/** Each back end says its letter; `/slow` keeps it busy until it is released, `/learn/X` begins session X. */
function replyOf(letter: string, held: (() => void)[]): (seen: Seen) => Reply {
  return ({ text }) => {
    const path = /^\S+ (\S*)/.exec(text)?.[1] ?? "";
    if (path.startsWith("/slow")) return (socket) => held.push(() => socket.write(ok(letter)));
    const session = /^\/learn\/(\w+)/.exec(path)?.[1];
    return session === undefined ? ok(letter) : ok(letter, `X-Session: ${session}`);
  };
}

describe("balancing", { timeout: 60_000 }, () => {
  let backs: BackEnd[] = [];
  const held: (() => void)[] = [];
  let server: TestServer;

  before(async () => {
    backs = await Promise.all([..."abc"].map((letter) => BackEnd.listen(replyOf(letter, held))));
    const [a, b, c] = backs.map(({ address }) => address) as [string, string, string];
    const all = `server ${a}; server ${b}; server ${c};`;
    server = await TestServer.start(
      `upstream rr { server ${a} weight=3; server ${b}; server ${c}; }
      upstream hashed { hash $arg_key; ${all} }
      upstream ring { hash $arg_key consistent; ${all} }
      upstream ring2 { hash $arg_key consistent; server ${a}; server ${c}; }
      upstream network { ip_hash; ${all} }
      upstream chance { random; ${all} }
      upstream two { random two; ${all} }
      upstream least { least_conn; ${all} }
      upstream quick { least_time header; ${all} }
      upstream quickest { least_time last_byte inflight; ${all} }
      upstream cookies { server ${a} route=A; server ${b} route=B; server ${c} route=C drain; sticky cookie srv expires=1h domain=$host path=/ httponly samesite=lax; }
      upstream digests { server ${a}; server ${b}; sticky cookie id; }
      upstream routed { server ${a} route=A; server ${b} route=B; server ${c} route=C; sticky route $arg_none $arg_to; }
      upstream learned { ${all} sticky learn create=$upstream_http_x_session lookup=$arg_session zone=learned:64k; }
      upstream broken { server 127.0.0.1:1 route=gone max_fails=0; server ${b} route=B; sticky cookie srv; }
      upstream full { server ${a} max_conns=1; queue 2 timeout=1s; }
      upstream patient { server ${b} max_conns=1; queue 1 timeout=200ms; }
      upstream held { state held.conf; }
      log_format queued '$upstream_status $upstream_queue_time';
      server { listen 127.0.0.1:%PORT%;
        access_log logs/queued.log queued;
        location ~ ^/(?<up>\\w+)(?<rest>/.*)$ { proxy_pass http://$up$rest; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    for (const back of backs) back.close();
  });

  const letter = (answer: string): string => answer.slice(-1);
  const ask = async (target: string, ...headers: string[]): Promise<string> => {
    const lines = headers.map((header) => `${header}\r\n`).join("");
    // However long a busy machine takes: an answer that is missing would shift all others.
    return letter((await exchange(server.port, [`GET ${target} HTTP/1.0\r\n${lines}\r\n`], 10_000)).text);
  };
  /** For answers that are long in coming. */
  const patiently = async (target: string): Promise<string> =>
    (await exchange(server.port, [`GET ${target} HTTP/1.0\r\n\r\n`], 5000)).text;
  const many = async (count: number, target: (i: number) => string): Promise<string> => {
    let letters = "";
    for (let i = 0; i < count; i++) letters += await ask(target(i));
    return letters;
  };
  const count = (letters: string): Record<string, number> => {
    const counts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (const one of letters) counts[one] = (counts[one] ?? 0) + 1;
    return counts;
  };

  test("round robin shares by weight, smoothly", async () => {
    const letters = await many(10, () => "/rr/");
    assert.deepEqual(count(letters), { a: 6, b: 2, c: 2 });
    assert.doesNotMatch(letters, /aaaa/);
  });

  test("hash gives a key to one peer and many keys to all", async () => {
    const once = await many(30, (i) => `/hashed/?key=${i}`);
    assert.equal(await many(30, (i) => `/hashed/?key=${i}`), once);
    for (const n of Object.values(count(once))) assert.ok(n > 3, once);
  });

  test("a consistent hash moves only the keys of the peer that has gone", async () => {
    const before = await many(40, (i) => `/ring/?key=${i}`);
    const after = await many(40, (i) => `/ring2/?key=${i}`);
    for (const n of Object.values(count(before))) assert.ok(n > 3, before);
    for (let i = 0; i < before.length; i++) if (before[i] !== "b") assert.equal(after[i], before[i]);
  });

  test("ip_hash keeps a client's network at one peer", async () => {
    const letters = await many(9, () => "/network/");
    assert.equal(new Set(letters).size, 1, letters);
  });

  for (const name of ["chance", "two", "quick", "quickest"]) {
    test(`${name} reaches every peer`, async () => {
      const letters = await many(60, () => `/${name}/`);
      for (const n of Object.values(count(letters))) assert.ok(n > 0, letters);
    });
  }

  test("least_conn goes past peers that are busy", async () => {
    const busy = [patiently("/least/slow"), patiently("/least/slow")].map(async (answer) => letter(await answer));
    while (held.length < busy.length) await sleep(5);
    const free = await many(3, () => "/least/");
    for (const release of held) release();
    const taken = await Promise.all(busy);
    assert.equal(new Set([...taken, ...free]).size, BACK_ENDS);
    assert.equal(new Set(free).size, 1, `${taken} were busy, ${free} answered`);
  });

  test("requests wait in the queue for a peer that is busy, first come, first served, and one too many does not", async () => {
    const start = held.length;
    const busy = patiently("/full/slow");
    while (held.length === start) await sleep(5);
    const served: number[] = [];
    const waiting = [0, 1].map(async (number) => {
      const answer = await patiently("/full/");
      served.push(number);
      return answer.slice(-1);
    });
    await sleep(60);
    assert.match(await server.get("/full/"), /^HTTP\/1.1 502/, "the queue is full");
    held.at(-1)?.();
    assert.deepEqual(await Promise.all([busy.then(letter), ...waiting]), ["a", "a", "a"]);
    assert.deepEqual(served, [0, 1]);
    assert.match(server.log("queued.log"), /^200 0\.[01]\d\d$/m);
    assert.match(server.log("queued.log"), /^502 -$/m);
  });

  test("who has waited too long, or has gone, leaves the queue", async () => {
    const start = held.length;
    const busy = patiently("/patient/slow");
    while (held.length === start) await sleep(5);
    const impatient = net.connect(server.port, "127.0.0.1");
    impatient.write("GET /patient/ HTTP/1.0\r\n\r\n");
    await sleep(60);
    impatient.destroy();
    await sleep(30);
    assert.match(await patiently("/patient/"), /^HTTP\/1.1 502/, "its place was free, and the time was up");
    assert.match(server.log("error.log"), /no live upstreams while connecting to upstream.*"http:\/\/patient\/"/);
    held.at(-1)?.();
    assert.equal(letter(await busy), "b");
  });

  test("servers in a state file are those of its last reading, and none are no reason not to start", async () => {
    assert.match(await server.get("/held/"), /^HTTP\/1.1 502/);
    writeFileSync(path.join(server.folder, "conf/held.conf"), `server ${backs[2]?.address};\n`);
    assert.match(await server.get("/held/"), /^HTTP\/1.1 502/);
    server.signal("SIGHUP");
    let answer = "";
    for (let tries = 0; tries < 500 && answer !== "c"; tries++) {
      await sleep(20);
      answer = await ask("/held/");
    }
    assert.equal(answer, "c");
  });

  test("sticky cookie ties a client to its peer, with nginx's attributes, and a drained peer gets only its own", async () => {
    const first = await server.get("/cookies/");
    assert.match(
      first,
      /\r\nSet-Cookie: srv=(A; expires=\w{3}, \d\d-\w{3}-\d\d [\d:]{8} GMT|B; expires=.*); max-age=3600; domain=localhost; httponly; samesite=lax; path=\/\r\n/,
    );
    assert.equal(await many(6, () => "/cookies/").then((letters) => letters.includes("c")), false);
    for (const [route, who] of [..."ABC"].map((route) => [route, route.toLowerCase()] as const)) {
      for (let i = 0; i < 4; i++) assert.equal(await ask("/cookies/", `Cookie: x=y; srv=${route}`), who);
    }
  });

  test("a peer without route is named by a digest that leads back to it", async () => {
    const first = await server.get("/digests/");
    const id = /Set-Cookie: id=([0-9a-f]{32})\r\n/.exec(first)?.[1];
    for (let i = 0; i < 4; i++) assert.equal(await ask("/digests/", `Cookie: id=${id}`), letter(first));
  });

  test("the cookie names the peer that answers in the end, once", async () => {
    for (let i = 0; i < 2; i++) {
      const answer = await server.get("/broken/", "Cookie: srv=gone");
      assert.equal(letter(answer), "b");
      assert.deepEqual(answer.match(/Set-Cookie: .*/g), ["Set-Cookie: srv=B"]);
    }
  });

  test("sticky route goes by the first variable that has a value", async () => {
    for (const [route, who] of [..."CBA"].map((route) => [route, route.toLowerCase()] as const)) {
      for (let i = 0; i < 3; i++) assert.equal(await ask(`/routed/?to=${route}`), who);
    }
    assert.equal(new Set(await many(6, () => "/routed/?to=nobody")).size, BACK_ENDS);
  });

  test("sticky learn follows the sessions that answers begin", async () => {
    const home = new Map<string, string>();
    for (const session of ["s1", "s2", "s3", "s4"]) home.set(session, await ask(`/learned/learn/${session}`));
    assert.ok(new Set(home.values()).size > 1);
    for (const [session, who] of home) {
      for (let i = 0; i < 4; i++) assert.equal(await ask(`/learned/?session=${session}`), who);
    }
    assert.ok(new Set(await many(6, () => "/learned/?session=unknown")).size > 1);
  });
});
