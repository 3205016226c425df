/** Who is let in, counted and told apart in `stream`: access, geo, split_clients, limit_conn, realip; balancing and names of upstreams. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { murmur2 } from "../src/base/hash-murmur2.ts";
import { TestServer } from "./http-server.ts";
import { freePort } from "./support/server-process.ts";
import { Talker } from "./support/talker.ts";

const HTTP = "server { listen 127.0.0.1:%PORT%; }";

async function fetchAll(port: number, said = ""): Promise<string> {
  const talker = await Talker.connect(port);
  if (said !== "") talker.send(said);
  await talker.closed;
  return talker.text;
}

/** A server that says its name and closes. */
async function named(name: string): Promise<{ readonly port: number; readonly server: net.Server }> {
  const server = net.createServer((socket) => socket.on("error", () => {}).end(name));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as net.AddressInfo).port, server };
}

describe("modules of stream", { timeout: 60_000 }, () => {
  const names = [
    "denied",
    "allowed",
    "geo",
    "split",
    "limit",
    "dry",
    "real",
    "real2",
    "round",
    "hash",
    "last",
  ] as const;
  const ports = {} as Record<(typeof names)[number], number>;
  let one: Awaited<ReturnType<typeof named>>;
  let two: Awaited<ReturnType<typeof named>>;
  let silent: net.Server;
  let server: TestServer;

  before(async () => {
    for (const name of names) ports[name] = await freePort();
    one = await named("one");
    two = await named("two");
    silent = net.createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port: silentPort } = silent.address() as net.AddressInfo;
    const listen = (name: (typeof names)[number], more = ""): string => `listen 127.0.0.1:${ports[name]} ${more};`;
    server = await TestServer.start(HTTP, {
      workers: 2,
      main: `stream {
        log_format status '$server_port $status $limit_conn_status $remote_addr:$remote_port $realip_remote_addr';
        access_log %DIR%/logs/status.log status;
        geo $where { default far; 127.0.0.0/8 near; 192.0.2.0/24 documented; }
        geo $remote_port $never { default none; }
        split_clients "fixed" $share { 50% first; * second; }
        limit_conn_zone $binary_remote_addr zone=c:64k;
        upstream both { zone both 64k; server 127.0.0.1:${one.port}; server 127.0.0.1:${two.port}; }
        upstream hashed { hash $server_port; server 127.0.0.1:${one.port}; server 127.0.0.1:${two.port}; }
        server { ${listen("denied")} deny 127.0.0.0/8; return never; }
        server { ${listen("allowed")} allow 127.0.0.1; deny all; return in; }
        server { ${listen("geo")} return $where-$never; }
        server { ${listen("split")} return $share; }
        server { ${listen("limit")} limit_conn c 1; proxy_pass 127.0.0.1:${silentPort}; }
        server { ${listen("dry")} limit_conn c 1; limit_conn_dry_run on; limit_conn_log_level info; return dry; }
        server { ${listen("real", "proxy_protocol")} set_real_ip_from 127.0.0.1; return "$remote_addr $remote_port $where"; }
        server { ${listen("real2", "proxy_protocol")} set_real_ip_from 192.0.2.9; return "$remote_addr $proxy_protocol_addr"; }
        server { ${listen("round")} proxy_pass both; }
        server { ${listen("hash")} proxy_pass hashed; }
        server { ${listen("last")} return no; proxy_pass both; }
      }`,
    });
  });
  after(async () => {
    await server.stop();
    for (const { server: back } of [one, two]) back.close();
    silent.close();
  });

  const logged = async (name: string, text: RegExp): Promise<void> => {
    for (let tries = 0; tries < 100 && !text.test(server.log(name)); tries++) await sleep(20);
    assert.match(server.log(name), text);
  };

  test("clients are let in or not by their address", async () => {
    assert.equal(await fetchAll(ports.denied), "");
    await logged("status.log", new RegExp(`^${ports.denied} 403 -`, "m"));
    await logged("error.log", /access forbidden by rule while initializing session, client: 127\.0\.0\.1, server: /);
    assert.equal(await fetchAll(ports.allowed), "in");
  });

  test("geo and split_clients tell clients apart", async () => {
    assert.equal(await fetchAll(ports.geo), "near-none");
    const isFirst = murmur2(Uint8Array.from("fixed", (letter) => letter.charCodeAt(0))) < 0xffffffff / 2;
    assert.equal(await fetchAll(ports.split), isFirst ? "first" : "second");
  });

  test("sessions are counted over all workers, refused beyond the limit, and counted no longer when they end", async () => {
    const first = await Talker.connect(ports.limit);
    first.send("x");
    await sleep(100);
    for (let i = 0; i < 4; i++) assert.equal(await fetchAll(ports.limit), "");
    await logged("status.log", new RegExp(`^${ports.limit} 503 REJECTED `, "m"));
    await logged(
      "error.log",
      /limiting connections by zone "c", client: |limiting connections by zone "c" while initializing session, client: /,
    );
    assert.equal(await fetchAll(ports.dry), "dry");
    await logged("status.log", new RegExp(`^${ports.dry} 200 REJECTED_DRY_RUN `, "m"));
    await logged("error.log", /\[info\] .*limiting connections, dry run, by zone "c"/);
    first.end();
    await first.closed;
    await logged("status.log", new RegExp(`^${ports.limit} 200 PASSED `, "m"));
    assert.equal(await fetchAll(ports.dry), "dry");
    await logged("status.log", new RegExp(`^${ports.dry} 200 PASSED `, "m"));
  });

  test("a trusted proxy names the client", async () => {
    const header = "PROXY TCP4 192.0.2.7 127.0.0.1 4711 81\r\n";
    assert.equal(await fetchAll(ports.real, header), "192.0.2.7 4711 documented");
    await logged("status.log", new RegExp(`^${ports.real} 200 - 192\\.0\\.2\\.7:4711 127\\.0\\.0\\.1\n`, "m"));
    assert.equal(await fetchAll(ports.real2, header), "127.0.0.1 192.0.2.7");
    assert.match(await fetchAll(ports.real, "PROXY UNKNOWN\r\n"), /^127\.0\.0\.1 \d+ near$/);
  });

  test("workers that share a zone take turns with its servers; a hash sticks to one", async () => {
    const turns: string[] = [];
    for (let i = 0; i < 10; i++) turns.push(await fetchAll(ports.round));
    assert.equal(turns.filter((name) => name === "one").length, 5, turns.join(" "));
    const same = new Set<string>();
    for (let i = 0; i < 6; i++) same.add(await fetchAll(ports.hash));
    assert.equal(same.size, 1);
  });

  test("of return and proxy_pass the last one of a server holds", async () => {
    assert.match(await fetchAll(ports.last), /^(one|two)$/);
  });
});
