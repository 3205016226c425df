/** What workers share: counters, the peers of an upstream, limits; also behind a reload and behind the death of a worker. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { TestServer } from "./http-server.ts";
import { BackEnd, ok } from "./support/back-end.ts";
import { KeepAliveClient } from "./support/keep-alive-client.ts";
import { isAlive, sleep, until } from "./support/server-process.ts";

function conf(
  back: string,
  zones = "limit_req_zone $arg_k zone=rate:64k rate=1r/m; limit_conn_zone $arg_k zone=conns:64k;",
): string {
  return `${zones} limit_req_zone $arg_k zone=all:32k rate=100000r/s; access_log off;
    upstream one { zone one 64k; server ${back} max_conns=1; server ${back} max_conns=1 backup; }
    upstream many { zone many 32k; server ${back} max_conns=8; server ${back} max_conns=8 backup; }
    upstream failing { zone one; server 127.0.0.1:1 max_fails=1 fail_timeout=1h; server ${back}; }
    server { listen 127.0.0.1:%PORT% reuseport; keepalive_timeout 1h;
      location = /pid { return 200 $pid; }
      location = /status { stub_status; }
      location = /active { return 200 "$connections_active $connections_waiting"; }
      location /rate { limit_req zone=rate; }
      location /conns { limit_conn conns 2; proxy_pass http://${back}; }
      location /all { limit_req zone=all burst=1000 nodelay; limit_conn conns 8; proxy_pass http://many; }
      location /peer { proxy_pass http://one; add_header X-Tried $upstream_addr always; }
      location /failing { proxy_pass http://failing; add_header X-Tried $upstream_addr always; }
    }`;
}

interface Counts {
  readonly active: number;
  readonly accepts: number;
  readonly requests: number;
  readonly waiting: number;
}

function parse(body: string): Counts {
  const numbers = [...body.matchAll(/\d+/g)].map(Number);
  const [active = -1, accepts = -1, , requests = -1, , , waiting = -1] = numbers;
  return { active, accepts, requests, waiting };
}

describe("two workers", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let server: TestServer;
  const clients: KeepAliveClient[] = [];
  const client = async (wanted: { readonly pid?: string; readonly not?: string } = {}): Promise<KeepAliveClient> => {
    const one = await KeepAliveClient.of(server, wanted);
    clients.push(one);
    return one;
  };
  let holds = 0;
  /** A request that is under way, at the back end, until its client or its worker goes. */
  const hold = async (one: KeepAliveClient, target: string): Promise<void> => {
    const marker = `&slow=${++holds}.`;
    one.send(target + marker);
    await until(
      () => one.hasReceived || back.seen.some(({ text }) => text.includes(marker)),
      "the request is under way",
    );
    assert.ok(!one.hasReceived, "the request is under way, not answered at once");
  };
  /** The same as soon as it is let through: what has been given back by clients that went may be seen a little later. */
  const holdWhenFree = async (one: KeepAliveClient, target: string): Promise<void> => {
    const marker = `&slow=${++holds}.`;
    await until(async () => {
      one.send(target + marker);
      await until(
        () => one.hasReceived || back.seen.some(({ text }) => text.includes(marker)),
        "it is answered or held",
      );
      return !one.hasReceived || (await one.receive()).status !== 503;
    }, `${target} is let through`);
  };
  const pidOf = async (one: KeepAliveClient): Promise<string> => (await one.get("/pid")).body;
  /** A client of each worker. */
  const both = async (): Promise<readonly [KeepAliveClient, KeepAliveClient]> => {
    const one = await client();
    return [one, await client({ not: await pidOf(one) })];
  };
  const kill = async (pid: string): Promise<void> => {
    process.kill(Number(pid), "SIGKILL");
    await until(() => !isAlive(Number(pid)), "the worker ends");
    await until(() => server.log("error.log").includes(`worker process ${pid} exited on signal 9`), "it is noticed");
  };

  before(async () => {
    back = await BackEnd.listen(({ text }) => (text.includes("slow") ? () => {} : ok("back")));
    server = await TestServer.start(conf(back.address), { workers: 2, files: { "html/rate": "passed" } });
  });
  after(async () => {
    for (const one of clients) one.close();
    await server.stop();
    await back.close();
  });

  test("stub_status and its variables count the connections of both, and not those of one that was killed", async () => {
    const [one, two] = await both();
    await client({ pid: await pidOf(one) });
    await until(async () => parse((await one.get("/status")).body).active === 3, "others have gone");
    const before = parse((await one.get("/status")).body);
    assert.equal(before.waiting, 2);
    assert.deepEqual(parse((await two.get("/status")).body), { ...before, requests: before.requests + 1 });
    assert.equal((await two.get("/active")).body, "3 2");
    await kill(await pidOf(one));
    const left = parse((await two.get("/status")).body);
    assert.equal(left.active, 1);
    assert.ok(left.requests > before.requests && left.accepts >= before.accepts, "what they did stays counted");
  });

  test("limit_req counts for all workers, and a reload forgets nothing", async () => {
    const [one, two] = await both();
    assert.equal((await one.get("/rate?k=a")).status, 200);
    assert.equal((await two.get("/rate?k=a")).status, 503);
    assert.equal((await two.get("/rate?k=b")).status, 200);
    const pids = [await pidOf(one), await pidOf(two)];
    server.signal("SIGHUP");
    await until(() => pids.every((pid) => !isAlive(Number(pid))), "the old workers end");
    const three = await client();
    assert.equal((await three.get("/rate?k=a")).status, 503);
    assert.equal((await three.get("/rate?k=c")).status, 200);
  });

  test("limit_conn counts for all workers, and what a killed one had counted is free at once", async () => {
    const [one, two] = await both();
    await hold(one, "/conns?k=a");
    const three = await client({ pid: await pidOf(two) });
    await hold(two, "/conns?k=a");
    assert.equal((await three.get("/conns?k=a")).status, 503);
    assert.equal((await three.get("/conns?k=b")).status, 200);
    const dead = await client({ not: await pidOf(three) });
    await kill(await pidOf(dead));
    await until(async () => (await three.get("/conns?k=a")).status === 200, "the dead worker's request is taken back");
    const four = await client({ not: await pidOf(three) });
    await hold(four, "/conns?k=a");
    assert.equal((await three.get("/conns?k=a")).status, 503, "and no more than that one");
    four.close();
    await until(async () => (await three.get("/conns?k=a")).status === 200, "a client that goes gives its place back");
    two.close();
  });

  test("workers share what they know of the peers of an upstream with a zone", async () => {
    const [one, two] = await both();
    await hold(one, "/peer?");
    assert.equal((await two.get("/peer")).status, 200, "the backup serves");
    const three = await client({ pid: await pidOf(two) });
    await hold(two, "/peer?");
    assert.equal((await three.get("/peer")).status, 502, "both peers have their connection");
    await kill(await pidOf(await client({ not: await pidOf(three) })));
    await until(async () => (await three.get("/peer")).status === 200, "one of them is free again");
    two.close();
    const [first, second] = await both();
    const tried = async (from: KeepAliveClient): Promise<string> =>
      /X-Tried: (.*)/.exec((await from.get("/failing")).head)?.[1]?.trim() ?? "";
    const answers = [await tried(first), await tried(first)].sort();
    assert.deepEqual(answers, [back.address, `127.0.0.1:1, ${back.address}`].sort());
    for (let i = 0; i < 4; i++)
      assert.equal(await tried(second), back.address, "the other worker knows of the failure");
  });

  test("workers that are killed again and again under load leave neither locks nor counts behind", async () => {
    let isOver = false;
    let served = 0;
    const load = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const one = await KeepAliveClient.connect(server.port).catch(() => undefined);
        for (; one !== undefined && !isOver; n++) {
          const answer = await one.get(`/all?k=${n % 100}`).catch(() => undefined);
          if (answer === undefined) break;
          if (answer.status === 200) served++;
        }
        one?.close();
        await sleep(10);
      }
    };
    const loads = Array.from({ length: 8 }, load);
    for (let kills = 0; kills < 6; kills++) {
      const pid = await pidOf(await client());
      const before = served;
      await until(() => served > before + 20, "requests are served");
      await kill(pid);
    }
    isOver = true;
    await Promise.all(loads);
    const pid = await pidOf(await client());
    for (const one of [await client({ pid }), await client({ not: pid })]) {
      // All of the connections of the upstream and of the key are to be had.
      const held = await Promise.all(Array.from({ length: 8 }, () => client()));
      for (const other of held) await holdWhenFree(other, "/all?k=1");
      assert.equal((await one.get("/all?k=1")).status, 503, "the key has its eight");
      assert.equal((await one.get("/all?k=2")).status, 200);
      for (const other of held) other.close();
      await until(async () => (await one.get("/all?k=1")).status === 200, "they are free again");
    }
  });

  test("a zone whose key would change is refused at a reload, one with another size begins anew", async () => {
    const one = await client();
    await one.get("/rate?k=x");
    assert.equal((await one.get("/rate?k=x")).status, 503);
    const pid = await pidOf(one);
    const key = "limit_req_zone $arg_j zone=rate:64k rate=1r/m; limit_conn_zone $arg_k zone=conns:64k;";
    server.rewrite(conf(back.address, key));
    server.signal("SIGHUP");
    const complaint = 'limit_req "rate" uses the "$arg_j" key while previously it used the "$arg_k" key';
    await until(() => server.log("error.log").includes(complaint), "the reload is refused");
    assert.equal((await one.get("/rate?k=x")).status, 503);
    assert.ok(isAlive(Number(pid)));
    const size = "limit_req_zone $arg_k zone=rate:65k rate=1r/m; limit_conn_zone $arg_k zone=conns:64k;";
    server.rewrite(conf(back.address, size));
    server.signal("SIGHUP");
    await until(() => !isAlive(Number(pid)), "the reload is done");
    assert.equal((await (await client()).get("/rate?k=x")).status, 200);
  });
});
