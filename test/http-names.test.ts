/** Host names: looked up by the system when the configuration is read, by the `resolver` when a request names one. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { A, AAAA, NAME_ERROR, SERVER_FAILURE } from "../src/wire/dns/message.ts";
import { exchange, TestServer } from "./http-server.ts";
import { BackEnd, ok } from "./support/back-end.ts";
import { a, aaaa, cname, type NameReply, NameServer, TRUNCATED } from "./support/name-server.ts";

/** What the name server knows. Nobody listens at 127.0.0.9. */
function reply({ name, type, via }: { name: string; type: number; via: string }): NameReply {
  const isA = type === A;
  switch (name) {
    case "one.test":
    case "cached.test":
      return isA ? { records: [a("127.0.0.1")] } : {};
    case "short.test":
      return isA ? { records: [a("127.0.0.1", 0)] } : {};
    case "alias.test":
      return { records: [cname("one.test")] };
    case "two.test":
      return isA ? { records: [a("127.0.0.9"), a("127.0.0.1")] } : {};
    case "six.test":
      return type === AAAA ? { records: [aaaa()] } : {};
    case "large.test":
      return via === "udp" ? { flags: TRUNCATED } : isA ? { records: [a("127.0.0.1")] } : {};
    case "broken.test":
      return { flags: SERVER_FAILURE };
    case "silent.test":
      return undefined;
    default:
      return { flags: NAME_ERROR };
  }
}

/** The whole answer, however long a busy machine takes. */
async function get(server: TestServer, target: string): Promise<string> {
  return (await exchange(server.port, [`GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`], 10_000)).text;
}

describe("names in a configuration", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let names: NameServer;
  let server: TestServer;

  before(async () => {
    back = await BackEnd.listen(() => ok("back"));
    names = await NameServer.listen(reply);
    const port = back.address.split(":")[1];
    server = await TestServer.start(
      `resolver 127.0.0.1:${names.port}; resolver_timeout 10s;
      upstream local { server localhost:${port}; }
      upstream block.test { server ${back.address}; }
      log_format up '$uri|$status|$proxy_host|$upstream_addr';
      access_log logs/up.log up;
      server { listen localhost:%PORT%;
        add_header X-To $upstream_addr always;
        location /block/ { proxy_pass http://local; }
        location /pass/ { proxy_pass http://localhost:${port}; }
        location /computed/ { proxy_pass http://$arg_to:${port}/; }
        location /port/ { proxy_pass http://$arg_to/; }
        location /four/ { resolver 127.0.0.1:${names.port} ipv6=off; proxy_pass http://$arg_to:${port}/; }
        location /dead/ { resolver 127.0.0.1:1 127.0.0.1:${names.port} ipv6=off; proxy_pass http://$arg_to:${port}/; }
        location /upload/ { proxy_request_buffering off; resolver_timeout 100ms; proxy_pass http://$arg_to:${port}/; }
        location /impatient/ { resolver_timeout 100ms; proxy_pass http://$arg_to:${port}/; }
        location /caught/ { error_page 502 = /fallback; resolver_timeout 100ms; proxy_pass http://$arg_to:${port}/; }
        location = /fallback { proxy_pass http://local; }
      }
      server { listen 127.0.0.2:%PORT%; resolver_timeout 1s;
        location / { return 200; }
      }`,
    );
  });
  after(async () => {
    await server.stop();
    back.close();
    names.close();
  });

  const logged = async (text: RegExp): Promise<void> => {
    for (let tries = 0; tries < 50 && !text.test(server.log("error.log")); tries++) await sleep(20);
    assert.match(server.log("error.log"), text);
  };
  const to = (text: string): string => /\r\nX-To: (.*)\r\n/.exec(text)?.[1] ?? "";

  test("the system's names serve for listen, upstream servers and proxy_pass", async () => {
    assert.match(await get(server, "/block/"), /200 OK[\s\S]*back$/);
    assert.match(await get(server, "/pass/"), /200 OK[\s\S]*back$/);
  });

  test("a request's name is asked for, with the configured name servers", async () => {
    const text = await get(server, "/computed/?to=one.test");
    assert.match(text, /200 OK[\s\S]*back$/);
    assert.equal(to(text), back.address);
    assert.equal(names.count("one.test"), 1);
    assert.equal(names.count("one.test", AAAA), 1);
    assert.match(back.last, /^Host: one\.test:/m);
  });

  test("an answer is kept for its TTL, for names in any case", async () => {
    for (const name of ["cached.test", "Cached.Test", "cached.test."])
      assert.match(await get(server, `/computed/?to=${name}`), /200 OK/, name);
    assert.equal(names.count("cached.test"), 1);
  });

  test("an answer without a time to live is asked for again", async () => {
    for (let i = 0; i < 20 && names.count("short.test") < 2; i++) {
      assert.match(await get(server, "/computed/?to=short.test"), /200 OK/);
      await sleep(10);
    }
    assert.equal(names.count("short.test"), 2);
  });

  test("an alias leads on", async () => {
    assert.match(await get(server, "/computed/?to=alias.test"), /200 OK[\s\S]*back$/);
  });

  test("of several addresses the next one is tried, and a request knows nothing of another's failures", async () => {
    for (let i = 0; i < 6; i++) {
      const text = await get(server, "/four/?to=two.test");
      assert.match(text, /200 OK[\s\S]*back$/);
      assert.match(to(text), /^(127\.0\.0\.9:\d+, )?127\.0\.0\.1:\d+$/);
    }
    assert.match(server.log("up.log"), /\|two\.test:\d+\|127\.0\.0\.9:\d+, 127\.0\.0\.1/);
  });

  test("a name may have IPv6 addresses only, and then has none for ipv6=off", async () => {
    assert.match(to(await get(server, "/computed/?to=six.test")), /^\[::1\]:\d+$/);
    assert.match(await get(server, "/four/?to=six.test"), /502 Bad Gateway/);
    await logged(/six\.test could not be resolved \(3: Host not found\)/);
  });

  test("what doesn't fit into a datagram is asked for over TCP", async () => {
    assert.match(await get(server, "/computed/?to=large.test"), /200 OK[\s\S]*back$/);
    assert.ok(names.asked.some(({ name, via }) => name === "large.test" && via === "tcp"));
  });

  test("a name server that is down costs nothing when there is another", async () => {
    for (const name of ["one.test", "two.test", "large.test"])
      assert.match(await get(server, `/dead/?to=${name}`), /200 OK[\s\S]*back$/, name);
  });

  test("a name that can't be resolved is 502, and the log says why", async () => {
    assert.match(await get(server, "/computed/?to=none.test"), /502 Bad Gateway/);
    await logged(
      /\[error\].* none\.test could not be resolved \(3: Host not found\), client: 127\.0\.0\.1, server: , request: "GET \/computed\/\?to=none\.test HTTP\/1\.0", host: "localhost"/,
    );
    assert.match(await get(server, "/computed/?to=broken.test"), /502 Bad Gateway/);
    await logged(/broken\.test could not be resolved \(2: Server failure\)/);
    assert.match(server.log("up.log"), /\/computed\/\|502\|none\.test:\d+\|-/);
  });

  test("a name server that says nothing is 502 after resolver_timeout", async () => {
    assert.match(await get(server, "/impatient/?to=silent.test"), /502 Bad Gateway/);
    await logged(/silent\.test could not be resolved \(110: Operation timed out\)/);
  });

  test("an error page may take over from a name that isn't found", async () => {
    const text = await get(server, "/caught/?to=none.test");
    assert.match(text, /200 OK[\s\S]*back$/);
  });

  test("upstreams and addresses of the configuration come before the name server", async () => {
    assert.match(await get(server, "/port/?to=block.test"), /200 OK[\s\S]*back$/);
    assert.equal(names.count("block.test"), 0);
    assert.match(await get(server, "/computed/?to=localhost"), /200 OK[\s\S]*back$/);
    assert.equal(names.count("localhost"), 0);
    // The same name with another port is not the one that the configuration has looked up.
    assert.match(await get(server, "/port/?to=localhost:1"), /502 Bad Gateway/);
    await logged(/localhost could not be resolved \(3: Host not found\)/);
  });

  test("a body that is passed on as it comes waits for the name, or is given up with it", async () => {
    for (const name of ["one.test", "none.test", "silent.test"]) {
      const head = `POST /upload/?to=${name} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`;
      const { text } = await exchange(server.port, [head, "def"], 1000);
      assert.match(text, name === "one.test" ? /200 OK[\s\S]*back$/ : /502 Bad Gateway/, name);
    }
    assert.match(back.last, /^POST[\s\S]*\r\n\r\nabcdef$/);
    assert.match(await get(server, "/block/"), /200 OK/);
  });

  test("a client that leaves while its name is asked for is forgotten", async () => {
    const before = names.count("silent.test");
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /computed/?to=silent.test HTTP/1.1\r\nHost: x\r\n\r\n");
    for (let i = 0; i < 100 && names.count("silent.test") === before; i++) await sleep(10);
    socket.destroy();
    for (let i = 0; i < 100 && !/\/computed\/\|499\|/.test(server.log("up.log")); i++) await sleep(10);
    assert.match(server.log("up.log"), /\/computed\/\|499\|silent\.test:\d+\|-/);
    assert.match(await get(server, "/block/"), /200 OK/);
  });
});

test("without a resolver a request can't name what the configuration doesn't", { timeout: 30_000 }, async () => {
  const server = await TestServer.start(
    "server { listen 127.0.0.1:%PORT%; location / { proxy_pass http://$arg_to; } location /literal { proxy_pass http://127.1:1; } }",
  );
  try {
    for (const name of ["localhost", "127.1", "a.test"]) {
      assert.match(await get(server, `/?to=${name}`), /502 Bad Gateway/);
      assert.ok(server.log("error.log").includes(`no resolver defined to resolve ${name}, client`), name);
    }
  } finally {
    await server.stop();
  }
});
