/** Names of upstream servers that are resolved while the server runs: `resolve` and `service=`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { A, NAME_ERROR, SERVER_FAILURE, SRV } from "../src/wire/dns/message.ts";
import { exchange, OURS, TestServer } from "./http-server.ts";
import { BackEnd, ok } from "./support/back-end.ts";
import { a, type NameReply, NameServer, service, TRUNCATED } from "./support/name-server.ts";

const TTL_S = 1;
/** For machines that are busy with something else. */
const PATIENCE_MS = 15_000;

describe("names of upstream servers", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let names: NameServer;
  let server: TestServer;
  let port: string;
  /** Ends the request that waits at the back end. */
  let release = (): void => {};
  /** What the name server says, by name; nothing: NXDOMAIN. A name of "tcp.test" has its answer over TCP only. */
  const zone = new Map<string, NameReply>();

  const configuration = (weight: number): string => `
    resolver 127.0.0.1:${names.port} ipv6=off; resolver_timeout 1s;
    proxy_connect_timeout 500ms;
    upstream moving { zone names 1m; server moving.test:${port} resolve weight=${weight} max_fails=0; }
    upstream mixed { zone names; server 127.0.0.1:${port}; server late.test:${port} resolve; }
    upstream served { zone served 1m; server served.test service=http resolve; }
    upstream own { zone own 256k; server tcp.test service=_web._udp resolve; resolver 127.0.0.1:${names.port} valid=1s; }
    upstream spread { zone spread 1m; hash $arg_key; server served.test service=http resolve; }
    upstream slow { zone slow 256k; server slow.test:${port} resolve; }
    server { listen 127.0.0.1:%PORT%; add_header X-To $upstream_addr always; add_header X-Pid $pid always;
      location /moving { proxy_pass http://moving; }
      location /mixed { proxy_pass http://mixed; }
      location /served { proxy_pass http://served; }
      location /own { proxy_pass http://own; }
      location /spread { proxy_pass http://spread; }
      location /slow { proxy_pass http://slow; }
    }`;

  before(async () => {
    back = await BackEnd.listen(({ text }) =>
      text.startsWith("GET /slow")
        ? (socket) => {
            release = () => socket.write(ok("slow"));
          }
        : ok("back"),
    );
    port = back.address.split(":")[1] as string;
    names = await NameServer.listen(({ name, type, via }) => {
      if (name === "_web._udp.tcp.test" && via === "udp") return { flags: TRUNCATED };
      const reply = zone.get(name);
      if (reply === undefined) return zone.has(name) ? undefined : { flags: NAME_ERROR };
      return type === A || type === SRV || reply.flags !== undefined ? reply : {};
    });
    zone.set("moving.test", { records: [a("127.0.0.1", TTL_S)] });
    zone.set("slow.test", { records: [a("127.0.0.1", TTL_S)] });
    zone.set("_web._udp.tcp.test", { records: [service([1, 1, Number(port)], "target.test", 60)] });
    zone.set("target.test", { records: [a("127.0.0.1", 60)] });
    server = await TestServer.start(configuration(1), { workers: 2 });
  });
  after(async () => {
    await server.stop();
    back.close();
    names.close();
  });

  /** The whole answer, however long it takes. */
  const get = async (target: string): Promise<string> =>
    (await exchange(server.port, [`GET ${target} HTTP/1.0\r\n\r\n`], PATIENCE_MS)).text;
  const to = async (target: string): Promise<string> =>
    /\r\nX-To: (.*)\r\n/.exec(await get(target))?.[1]?.replaceAll(`:${port}`, "") ?? "nobody";
  /** Asks until the peers are as expected. */
  const until = async (target: string, expected: RegExp): Promise<void> => {
    const end = Date.now() + PATIENCE_MS;
    let peers = await to(target);
    for (; Date.now() < end && !expected.test(peers); peers = await to(target)) await sleep(50);
    assert.match(peers, expected);
  };
  /** Sets a name and waits until it has been asked for again. */
  const move = async (name: string, reply: NameReply): Promise<void> => {
    zone.set(name, reply);
    const before = names.asked.length;
    const isAsked = (): boolean => names.asked.slice(before).some((one) => one.name === name);
    const end = Date.now() + PATIENCE_MS;
    while (Date.now() < end && !isAsked()) await sleep(20);
    assert.ok(isAsked(), `${name} is asked for again`);
  };
  /** Until no worker of the old configuration serves. */
  const reload = async (): Promise<void> => {
    const running = (): string[] =>
      readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "latin1").trim().split(" ");
    const works = (pid: string): boolean => !readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("spare");
    const before = running().filter(works);
    server.signal("SIGHUP");
    const end = Date.now() + PATIENCE_MS;
    while (Date.now() < end && running().some((pid) => before.includes(pid))) await sleep(20);
  };
  const logged = async (text: RegExp): Promise<void> => {
    const end = Date.now() + PATIENCE_MS;
    while (Date.now() < end && !text.test(server.log("error.log"))) await sleep(20);
    assert.match(server.log("error.log"), text);
  };

  test("requests in flight end well while their peer goes", async () => {
    await until("/moving", /^127\.0\.0\.1$/);
    const seen = back.seen.length;
    const slow = get("/slow");
    while (back.seen.length === seen) await sleep(10);
    await move("slow.test", { records: [a("127.0.0.9", TTL_S)] });
    release();
    assert.match(await slow, /200 OK[\s\S]*slow$/);
    await until("/slow", /^127\.0\.0\.9$/);
  });

  test("peers follow the addresses of their name, in every worker", async () => {
    await until("/moving", /127\.0\.0\.1$/);
    await move("moving.test", { records: [a("127.0.0.1", TTL_S), a("127.0.0.9", TTL_S)] });
    await until("/moving", /^(127\.0\.0\.9, )?127\.0\.0\.1$/);
    await move("moving.test", { records: [a("127.0.0.9", TTL_S)] });
    await until("/moving", /^127\.0\.0\.9$/);
    const pid = Number(/X-Pid: (\d+)/.exec(await get("/moving"))?.[1]);
    process.kill(pid, "SIGSTOP");
    // The kernel wakes one worker for each connection, and may choose the one that is stopped.
    const other = await Promise.race(Array.from({ length: 8 }, () => get("/moving")));
    process.kill(pid, "SIGCONT");
    assert.doesNotMatch(other, new RegExp(`X-Pid: ${pid}\r\n`));
    assert.match(other, /X-To: 127\.0\.0\.9:\d+\r\n/);
    // One worker asks for all.
    const asked = names.count("moving.test");
    await move("moving.test", { records: [a("127.0.0.1", TTL_S)] });
    assert.ok(names.count("moving.test") - asked <= 2);
    await until("/moving", /^127\.0\.0\.1$/);
  });

  test("a name server's failure changes nothing, a name that is gone has no peers", async () => {
    await move("moving.test", { flags: SERVER_FAILURE });
    await logged(/\[error\] \d+#\d+: moving\.test could not be resolved \(2: Server failure\)/);
    assert.equal(await to("/moving"), "127.0.0.1");
    await move("moving.test", { flags: NAME_ERROR });
    await logged(/moving\.test could not be resolved \(3: Host not found\)/);
    await until("/moving", /^moving$/);
    assert.match(await get("/moving"), /502 Bad Gateway/);
    await logged(/no live upstreams while connecting to upstream/);
  });

  test("a name that isn't known at start is no obstacle, and other servers of its upstream serve", async () => {
    assert.equal(await to("/mixed"), "127.0.0.1");
    // Asked for again after 10 s or at the next start: a reload asks at once.
    zone.set("late.test", { records: [a("127.0.0.9", TTL_S)] });
    await reload();
    await until("/mixed", /127\.0\.0\.9/);
  });

  test("the hosts of a service have their own ports, and its lower priorities are backup", async () => {
    zone.set("one.test", { records: [a("127.0.0.9", TTL_S)] });
    zone.set("two.test", { records: [a("127.0.0.1", TTL_S)] });
    zone.set("_http._tcp.served.test", {
      records: [service([1, 1, 1], "one.test", TTL_S), service([2, 1, Number(port)], "two.test", TTL_S)],
    });
    await reload();
    await until("/served", /^127\.0\.0\.9:1, 127\.0\.0\.1$/);
    // A method without backup peers takes the first priority only.
    await until("/spread?key=1", /^127\.0\.0\.9:1$/);
    await move("_http._tcp.served.test", { records: [service([1, 1, Number(port)], "two.test", TTL_S)] });
    await until("/served", /^127\.0\.0\.1$/);
  });

  test("an upstream's own resolver is asked, over TCP when the answer is long", async () => {
    await until("/own", /^127\.0\.0\.1$/);
    assert.ok(names.asked.some(({ name, via }) => name === "_web._udp.tcp.test" && via === "tcp"));
  });

  test("a service whose hosts can't be resolved keeps its peers", async () => {
    await move("two.test", { flags: SERVER_FAILURE });
    await logged(/two\.test could not be resolved \(2: Server failure\) while resolving service http of served\.test/);
    await logged(/service http of served\.test could not be resolved \(2: Server failure\)/);
    assert.equal(await to("/served"), "127.0.0.1");
  });

  test("after a reload the known addresses serve on while no name server answers", async () => {
    zone.set("moving.test", { records: [a("127.0.0.1", TTL_S)] });
    await reload();
    await until("/moving", /^127\.0\.0\.1$/);
    zone.set("moving.test", undefined);
    server.rewrite(configuration(2));
    await reload();
    for (let i = 0; i < 5; i++) assert.match(await get("/moving"), /200 OK[\s\S]*back$/);
  });
});

test("what can't be resolved at run time is refused with nginx's words", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "tandem-names-"));
  const file = path.join(folder, "nginx.conf");
  const messageOf = (http: string): string => {
    writeFileSync(file, `events { }\nhttp {\n${http}\n}\n`);
    const { stderr } = spawnSync(OURS, ["-t", "-p", folder, "-c", file, "-e", "stderr"], { encoding: "utf8" });
    return /\[emerg\] (.*)/.exec(stderr)?.[1]?.replaceAll(`${folder}/`, "") ?? stderr;
  };
  try {
    const zone = "zone z 1m;";
    const resolver = "resolver 127.0.0.1;";
    for (const [http, message] of [
      [
        `${resolver} upstream u { server a.test resolve; }`,
        'resolving names at run time requires upstream "u" in nginx.conf:3 to be in shared memory',
      ],
      [
        `upstream u { ${zone} server a.test resolve; }`,
        'no resolver defined to resolve names at run time in upstream "u" in nginx.conf:3',
      ],
      [
        `upstream u { server a.test service=x; }`,
        'service upstream "a.test" requires "resolve" parameter in nginx.conf:3',
      ],
      [
        `upstream u { server a.test:1 service=x resolve; }`,
        'service upstream "a.test:1" may not have port in nginx.conf:3',
      ],
      [
        `upstream u { server 127.0.0.1 service=x resolve; }`,
        'service upstream "127.0.0.1" requires domain name in nginx.conf:3',
      ],
      ["upstream u { server a.test service= resolve; }", "service is empty in nginx.conf:3"],
      ["resolver 127.0.0.1 ipv4=maybe;", "invalid parameter: ipv4=maybe in nginx.conf:3"],
      ["resolver 127.0.0.1 ipv4=off ipv6=off;", '"ipv4" and "ipv6" cannot both be "off" in nginx.conf:3'],
      ["upstream u { server a.invalid; }", 'host not found in upstream "a.invalid" in nginx.conf:3'],
      ["upstream u { server 127.0.0.1 backup; }", 'no servers in upstream "u" in nginx.conf:3'],
    ] as const)
      assert.equal(messageOf(http), message);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
