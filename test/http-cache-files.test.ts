/**
 * What a cache is on disk and between processes: files that nginx takes over and that are taken over from nginx, damaged ones,
 * a full disk, workers that are killed, and the process that keeps order.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { exchange, installedNginx, OURS, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { childrenOf, isAlive, sleep, until } from "./support/server-process.ts";
import { SmallDisk } from "./support/small-disk.ts";

const PATIENCE_MS = 20_000;
const nginx = installedNginx();
const skipNginx = nginx === undefined ? "no nginx is installed here" : false;
const HEADER_BYTES = 336;

const targetOf = ({ text }: Seen): string => text.split(" ")[1] as string;
const statusOf = (answer: string): string => /^X-Cache: (.*)\r$/m.exec(answer)?.[1] ?? "";
const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4);

async function get(server: TestServer, target: string, ...lines: string[]): Promise<readonly [string, string]> {
  const head = `GET ${target} HTTP/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  const { text } = await exchange(server.port, [head], PATIENCE_MS);
  return [statusOf(text), bodyOf(text)];
}

/** Paths of all files below a folder, from there. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

const keeperOf = (server: TestServer): number | undefined =>
  childrenOf(server.pid).find((pid) => titleOf(pid).startsWith("nginx: cache manager process"));

const location = (back: string, more = ""): string =>
  `location / { proxy_pass http://${back}; proxy_cache c; proxy_cache_valid 1h; add_header X-Cache "$upstream_cache_status" always; ${more} }`;

function conf(back: string, line: string, more = ""): string {
  return `access_log off; proxy_cache_path %DIR%/c ${line}; server { listen 127.0.0.1:%PORT%; ${location(back, more)} }`;
}

describe("the files of a cache", { timeout: 120_000 }, () => {
  let back: BackEnd;
  const replies: Readonly<Record<string, () => Reply>> = {
    "/plain": () => ok("plain"),
    "/described": () => ok("x", 'ETag: "abc"', "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT", "X-Own: a"),
    "/varied": () => ok("varied", "Vary: X-Lang, Accept-Encoding"),
    "/long-tag": () => ok("x", `ETag: "${"t".repeat(200)}"`),
    "/stale": () => ok("x", "Cache-Control: max-age=3600, stale-while-revalidate=5, stale-if-error=7"),
    "/chunks": () => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "/moved": () => "HTTP/1.1 301 x\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
  };
  const targets = Object.keys(replies);

  before(async () => {
    back = await BackEnd.listen((seen) => replies[targetOf(seen)]?.() ?? ok(`answer to ${targetOf(seen)}`));
  });
  after(() => back.close());

  /** Fills a cache and takes its files home. */
  async function filled(binary: string, line: string, home: string, more = ""): Promise<void> {
    const server = await TestServer.start(conf(back.address, line, more), { binary });
    for (const target of targets) await get(server, target, "X-Lang: de", "Accept-Encoding: gzip, br");
    await until(() => filesBelow(path.join(server.folder, "c")).length === targets.length, "all is kept");
    cpSync(path.join(server.folder, "c"), home, { recursive: true });
    await server.stop();
  }

  /** What differs by the moment: until when it is valid, and when it was stored. */
  function timeless(file: string): string {
    const bytes = readFileSync(file);
    bytes.fill(0, 8, 16);
    bytes.fill(0, 40, 48);
    return bytes.toString("latin1");
  }

  for (const line of [
    "levels=1:2 keys_zone=c:1m",
    "keys_zone=c:1m use_temp_path=off",
    "levels=2:1:2 keys_zone=c:1m use_temp_path=off",
  ]) {
    test(`nginx's and ours are the same, byte for byte: ${line}`, { skip: skipNginx }, async (t) => {
      const one = await TestServer.start("server { listen 127.0.0.1:%PORT%; }");
      t.after(() => one.stop());
      const [ours, theirs] = [path.join(one.folder, "ours"), path.join(one.folder, "theirs")];
      await filled(OURS, line, ours);
      await filled(nginx as string, line, theirs);
      assert.deepEqual(filesBelow(ours), filesBelow(theirs));
      for (const file of filesBelow(ours))
        assert.equal(timeless(path.join(ours, file)), timeless(path.join(theirs, file)), file);
    });
  }

  test("a server takes over what nginx has left, and nginx what we have left", { skip: skipNginx }, async (t) => {
    const keeper = await TestServer.start("server { listen 127.0.0.1:%PORT%; }");
    t.after(() => keeper.stop());
    const line = "levels=1:2 keys_zone=c:1m";
    for (const [from, to] of [
      [nginx as string, OURS],
      [OURS, nginx as string],
    ] as const) {
      const home = path.join(keeper.folder, "home");
      await filled(from, line, home);
      const http = conf(back.address, line).replace("%DIR%/c", home);
      const server = await TestServer.start(http, { binary: to });
      const before = back.seen.length;
      for (const target of targets) {
        const [status] = await get(server, target, "X-Lang: de", "Accept-Encoding: gzip,br");
        assert.equal(status, "HIT", `${target} by ${to}`);
      }
      assert.equal(back.seen.length, before);
      await server.stop();
      rmSync(home, { recursive: true });
    }
  });

  test("the default key has the unix socket's name as nginx has it", { skip: skipNginx }, async () => {
    const contents: string[] = [];
    for (const binary of [OURS, nginx as string]) {
      const server = await TestServer.start("server { listen 127.0.0.1:%PORT%; }", { binary });
      const unix = await BackEnd.listen(() => ok("unix"), path.join(server.folder, "back.sock"));
      const other = await TestServer.start(
        `access_log off; proxy_cache_path %DIR%/c keys_zone=c:1m; proxy_cache c; proxy_cache_valid 1h; proxy_set_header Host x;
        server { listen 127.0.0.1:%PORT%; location /a { proxy_pass http://unix:${server.folder}/back.sock; }
          location /b { proxy_pass http://unix:${server.folder}/back.sock:/u/; } }`,
        { binary },
      );
      await get(other, "/a");
      await get(other, "/b/c");
      const files = filesBelow(path.join(other.folder, "c")).map((name) =>
        readFileSync(path.join(other.folder, "c", name), "latin1")
          .slice(HEADER_BYTES)
          .replaceAll(server.folder, "DIR"),
      );
      contents.push(files.sort().join("|"));
      await other.stop();
      await server.stop();
      unix.close();
    }
    assert.equal(contents[0], contents[1]);
  });

  test("a damaged file is said so, passed over and replaced", async () => {
    const server = await TestServer.start(conf(back.address, "keys_zone=c:1m"));
    const folder = path.join(server.folder, "c");
    const damage = async (change: (bytes: Buffer) => Buffer, complaint: RegExp): Promise<void> => {
      const [file = ""] = filesBelow(folder);
      const whole = readFileSync(path.join(folder, file));
      writeFileSync(path.join(folder, file), change(Buffer.from(whole)));
      assert.deepEqual(await get(server, "/plain"), ["MISS", "plain"], String(complaint));
      assert.match(server.log("error.log"), complaint);
      assert.deepEqual(await get(server, "/plain"), ["HIT", "plain"], `behind ${complaint}`);
    };
    assert.equal((await get(server, "/plain"))[0], "MISS");
    const set = (at: number, value: number) => (bytes: Buffer) => {
      bytes[at] = value;
      return bytes;
    };
    await damage((bytes) => bytes.subarray(0, 100), /\[crit\] .*cache file ".*" is too small/);
    await damage(set(0, 4), /\[info\] .*cache file ".*" version mismatch/);
    await damage(set(48, 0), /\[crit\] .*cache file ".*" has md5 collision/);
    await damage(set(HEADER_BYTES + 8, 0), /cache file ".*" has md5 collision/);
    await damage(set(57, 0xff), /\[crit\] .*cache file ".*" has too long header/);
    await damage(set(187, 129), /\[crit\] .*cache file ".*" has incorrect vary length/);
    await damage((bytes) => {
      bytes.write("\0\0\0", bytes.indexOf("HTTP/1.1 200") + 18, "latin1");
      return bytes;
    }, /\[crit\] .*cache file ".*" contains invalid header/);
    await server.stop();
  });

  test("configurations are refused as nginx refuses them", { skip: skipNginx }, () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "cache-conf-"));
    mkdirSync(path.join(folder, "logs"));
    const complaint = (binary: string, http: string): string => {
      const text = `events {}\npid ${folder}/pid; error_log ${folder}/log;\nhttp {\n${http}\n}\n`;
      writeFileSync(path.join(folder, "nginx.conf"), text);
      const { stderr } = spawnSync(binary, ["-t", "-p", `${folder}/`, "-c", "nginx.conf"], { encoding: "latin1" });
      return /\[emerg\] (?:\d+#\d+: )?(.*)/.exec(stderr)?.[1] ?? "";
    };
    const one = `proxy_cache_path ${folder}/a keys_zone=a:1m`;
    for (const http of [
      "server { location / { proxy_pass http://127.0.0.1:1; proxy_cache nope; } }",
      `${one};\nproxy_cache_path ${folder}/a keys_zone=b:1m;`,
      `${one};\nproxy_cache_path ${folder}/b keys_zone=a:1m;`,
      `${one} levels=3;`,
      `${one} levels=1:2:1:1;`,
      `${one} inactive=x;`,
      `${one} other=x;`,
      `proxy_cache_path ${folder}/a keys_zone=a;`,
      `proxy_cache_path ${folder}/a keys_zone=a:4k;`,
      `proxy_cache_path ${folder}/a levels=1:2;`,
      `${one};\nserver { proxy_cache a; proxy_store on; }`,
      `${one};\nserver { proxy_store on; proxy_cache a; }`,
      `limit_req_zone $uri zone=a:1m rate=1r/s;\nserver { proxy_cache a; }`,
      "server { proxy_cache_valid 20 1m; }",
    ]) {
      const theirs = complaint(nginx as string, http);
      assert.notEqual(theirs, "", http);
      assert.equal(complaint(OURS, http), theirs, http);
    }
    assert.match(
      complaint(OURS, `${one} purger=on;`),
      /^invalid parameter "purger=on": purging a cache is a part of nginx Plus /,
    );
    rmSync(folder, { recursive: true });
  });

  test("a file that is no more is fetched again", async () => {
    const server = await TestServer.start(conf(back.address, "keys_zone=c:1m"));
    await get(server, "/plain");
    for (const file of filesBelow(path.join(server.folder, "c"))) rmSync(path.join(server.folder, "c", file));
    assert.deepEqual(await get(server, "/plain"), ["MISS", "plain"]);
    assert.deepEqual(await get(server, "/plain"), ["HIT", "plain"]);
    await server.stop();
  });
});

describe("a cache between processes", { timeout: 120_000 }, () => {
  let back: BackEnd;
  const held: net.Socket[] = [];

  before(async () => {
    back = await BackEnd.listen((seen) => {
      const target = targetOf(seen);
      if (target.startsWith("/hang")) return (socket) => held.push(socket);
      return ok(target.startsWith("/big") ? "x".repeat(20_000) : `answer to ${target}`);
    });
  });
  after(() => {
    for (const socket of held) socket.destroy();
    back.close();
  });

  /** A connection to a worker, told apart by the process id that it says. */
  async function hang(server: TestServer, target: string): Promise<string> {
    const client = net.connect(server.port, "127.0.0.1");
    client.on("error", () => {});
    client.write(`GET /pid HTTP/1.1\r\nHost: x\r\n\r\n`);
    const pid = await new Promise<string>((resolve) => client.once("data", (data) => resolve(bodyOf(String(data)))));
    const before = held.length;
    client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => held.length > before, "it is asked for");
    return pid;
  }

  const two = (line: string, more: string): string =>
    conf(back.address, line, more).replace("%PORT%;", "%PORT% reuseport; location = /pid { return 200 $pid; }");

  test("workers share what they know", async () => {
    const server = await TestServer.start(two("keys_zone=c:1m", ""), { workers: 2 });
    await get(server, "/shared");
    for (let i = 0; i < 20; i++) assert.equal((await get(server, "/shared"))[0], "HIT");
    await server.stop();
  });

  test("a worker that is killed leaves no lock behind, whoever looks first", async () => {
    for (const workers of [1, 2]) {
      const server = await TestServer.start(
        two("keys_zone=c:1m", "proxy_cache_lock on; proxy_cache_lock_age 1h; proxy_cache_lock_timeout 1h;"),
        { workers },
      );
      const pid = await hang(server, "/hang");
      process.kill(Number(pid), "SIGKILL");
      await until(() => server.log("error.log").includes(`worker process ${pid} exited on signal 9`), "it is dead");
      const before = held.length;
      const next = get(server, "/hang");
      await until(() => held.length > before, "the next one fetches, and does not wait");
      held.at(-1)?.write(ok("answered"));
      assert.deepEqual(await next, ["MISS", "answered"]);
      assert.deepEqual(await get(server, "/hang"), ["HIT", "answered"]);
      await server.stop();
    }
  });

  test("a worker that is killed leaves no promise to renew behind", async () => {
    const more = "proxy_cache_use_stale updating;";
    const server = await TestServer.start(
      conf(back.address, "keys_zone=c:1m", more)
        .replace("proxy_cache_valid 1h", "proxy_cache_valid 1s")
        .replace("%PORT%;", "%PORT%; location = /pid { return 200 $pid; }"),
    );
    const first = get(server, "/hang/renewed");
    await until(
      () => held.length > 0 && back.seen.some((seen) => targetOf(seen) === "/hang/renewed"),
      "it is asked for",
    );
    held.at(-1)?.write(ok("old"));
    assert.deepEqual(await first, ["MISS", "old"]);
    await sleep(2100);
    const pid = await hang(server, "/hang/renewed");
    assert.deepEqual(await get(server, "/hang/renewed"), ["UPDATING", "old"]);
    process.kill(Number(pid), "SIGKILL");
    await until(() => server.log("error.log").includes(`worker process ${pid} exited on signal 9`), "it is dead");
    const before = held.length;
    const next = get(server, "/hang/renewed");
    await until(() => held.length > before, "the next one renews it");
    held.at(-1)?.write(ok("new"));
    assert.deepEqual(await next, ["EXPIRED", "new"]);
    await server.stop();
  });

  test("a process of its own deletes what nobody has asked for, and comes again when it is killed", async () => {
    const server = await TestServer.start(conf(back.address, "levels=1 keys_zone=c:1m inactive=1s manager_sleep=10ms"));
    const folder = path.join(server.folder, "c");
    await until(() => keeperOf(server) !== undefined, "it is there under nginx's name");
    await get(server, "/a");
    await get(server, "/b");
    assert.equal(filesBelow(folder).length, 2);
    await until(() => filesBelow(folder).length === 0, "they are deleted");
    assert.equal((await get(server, "/a"))[0], "MISS");
    const pid = keeperOf(server) as number;
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid) && keeperOf(server) !== undefined, "another one takes its place");
    assert.match(server.log("error.log"), new RegExp(`cache manager process ${pid} exited on signal 9`));
    await until(() => filesBelow(folder).length === 0, "it does the same");
    await server.stop();
  });

  test("max_size and the room for keys bound a cache: the oldest go", async () => {
    const server = await TestServer.start(conf(back.address, "keys_zone=c:1m max_size=100k manager_sleep=10ms"));
    const folder = path.join(server.folder, "c");
    for (let i = 0; i < 12; i++) await get(server, `/big/${i}`);
    await until(() => filesBelow(folder).length <= 5, "no more than fit are left");
    assert.equal((await get(server, "/big/11"))[0], "HIT");
    assert.equal((await get(server, "/big/0"))[0], "MISS");
    await server.stop();
    const small = await TestServer.start(conf(back.address, "keys_zone=c:8k"));
    for (let i = 0; i < 100; i++) assert.equal((await get(small, `/small/${i}`))[0], "MISS");
    assert.equal((await get(small, "/small/99"))[0], "HIT");
    assert.ok(filesBelow(path.join(small.folder, "c")).length < 50, "a key that goes takes its file along");
    await small.stop();
  });

  test("a reload keeps what is known, and refuses another folder for the same keys", async () => {
    const http = conf(back.address, "levels=1 keys_zone=c:1m");
    const server = await TestServer.start(http);
    await until(() => keeperOf(server) !== undefined, "the manager is there");
    const keeper = keeperOf(server) as number;
    await get(server, "/kept");
    const logged = (text: string): boolean => server.log("error.log").includes(text);
    server.rewrite(http.replace("levels=1", "levels=2"));
    server.signal("SIGHUP");
    await until(() => logged('cache "c" had previously different levels'), "other levels are refused");
    server.rewrite(http.replace("%DIR%/c", "%DIR%/other"));
    server.signal("SIGHUP");
    await until(
      () =>
        logged(
          `cache "c" uses the "${server.folder}/other" cache path while previously it used the "${server.folder}/c" cache path`,
        ),
      "another folder is refused",
    );
    assert.ok(isAlive(keeper));
    server.rewrite(http.replace("1h", "2h"));
    server.signal("SIGHUP");
    await until(() => !isAlive(keeper) && keeperOf(server) !== undefined, "another manager takes over");
    assert.equal((await get(server, "/kept"))[0], "HIT");
    server.rewrite("server { listen 127.0.0.1:%PORT%; }");
    server.signal("SIGHUP");
    await until(() => keeperOf(server) === undefined, "without a cache there is no manager");
    await server.stop();
  });

  test("a disk that is full costs the cache its file, and nobody the answer", {
    skip: SmallDisk.refusal() ?? false,
  }, async () => {
    const disk = new SmallDisk(256 * 1024, ["c", "temp"]);
    for (const line of ["keys_zone=c:1m use_temp_path=off", "keys_zone=c:1m"]) {
      const http = conf(back.address, line).replace("%DIR%/c", disk.file("c"));
      const server = await TestServer.start(`proxy_temp_path ${disk.file("temp")}; ${http}`);
      disk.fill(8 * 1024);
      const [status, body] = await get(server, "/big/full");
      assert.deepEqual([status, body.length], ["MISS", 20_000]);
      assert.match(server.log("error.log"), /\[crit\] .*pwrite\(\) ".*" failed \(28: No space left on device\)/);
      assert.deepEqual(
        filesBelow(disk.folder).filter((file) => file !== "filler"),
        [],
      );
      disk.free();
      assert.equal((await get(server, "/big/full"))[0], "MISS");
      assert.equal((await get(server, "/big/full"))[0], "HIT");
      await server.stop();
      for (const file of filesBelow(disk.file("c"))) rmSync(path.join(disk.file("c"), file));
    }
    disk.remove();
    assert.ok(!existsSync(disk.folder));
  });
});
