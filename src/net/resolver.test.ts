import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concatBytes } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { LogContext } from "../base/log.ts";
import type { DatagramOwner } from "../io/datagram.ts";
import type { Stream, StreamOwner } from "../io/stream.ts";
import { answer, name, record, srv, TRUNCATED } from "../wire/dns/dns.cases.ts";
import { A, AAAA, CNAME, NAME_ERROR, PTR, REFUSED, SERVER_FAILURE, SRV } from "../wire/dns/message.ts";
import { decodeName } from "../wire/dns/name.ts";
import { type Resolution, Resolver, type ResolverSettings, resolverCodeText, TIMED_OUT } from "./resolver.ts";
import { Timers } from "./timers.ts";

const ECONNREFUSED = 111;

interface Sent {
  readonly server: string;
  readonly via: "udp" | "tcp";
  readonly name: string;
  readonly type: number;
  readonly id: number;
}

/** A network of name servers that only listen: the test answers for them. */
class Network {
  nowMs = 1_000_000;
  private alarmAt = Number.POSITIVE_INFINITY;
  private ring: () => void = () => {};
  readonly timers = new Timers({ now: () => this.nowMs, wall: () => 0 }, (ring) => {
    this.ring = ring;
    return {
      arm: (atMs) => {
        this.alarmAt = atMs;
      },
      disarm: () => {},
    };
  });
  readonly sent: Sent[] = [];
  readonly logged: string[] = [];
  readonly sockets = new Map<string, DatagramOwner>();
  readonly streams = new Map<string, { owner: StreamOwner; closed: boolean }>();
  /** Servers whose sockets can't be opened. */
  readonly dead = new Set<string>();
  random = 0.5;
  private ids = 0;
  readonly resolver: Resolver;

  constructor(settings: Partial<ResolverSettings> = {}, servers = ["ns1", "ns2"]) {
    const all = { validS: 0, ipv4: true, ipv6: false, ...settings };
    this.resolver = new Resolver(
      { ...all, servers: servers.map((label) => ({ endpoint: { path: label }, label })) },
      {
        clock: { now: () => this.nowMs, wall: () => 0 },
        timers: this.timers,
        log: {
          enabled: () => true,
          write: (_level, message, context?: LogContext) => {
            this.logged.push(context?.errno === undefined ? message : `${message} ${context.errno}`);
          },
        },
        memory: {
          allocate: (size) => ({ bytes: new Uint8Array(size), address: 0 }),
          allocateCollected: (size) => ({ bytes: new Uint8Array(size), address: 0 }),
          hasRoom: () => true,
          keptBytes: () => 0,
          collect: () => {},
        },
        // Ids that differ, and rotation that a test can foresee.
        random: () => (this.random === 0.5 ? (++this.ids * 257) / 0x10000 : this.random),
        datagrams: {
          connect: (remote, owner) => {
            const server = "path" in remote ? remote.path : "";
            if (this.dead.has(server)) return -ECONNREFUSED;
            this.sockets.set(server, owner);
            return { send: (bytes) => this.note(server, "udp", bytes), close: () => this.sockets.delete(server) };
          },
        },
        streams: { connect: (remote, _local, owner) => this.connect("path" in remote ? remote.path : "", owner) },
      },
    );
  }

  private note(server: string, via: "udp" | "tcp", query: Bytes): number {
    const question = decodeName(query, 12);
    assert.ok(question.ok);
    const at = query.length - 4;
    this.sent.push({
      server,
      via,
      name: question.value,
      type: ((query[at] as number) << 8) | (query[at + 1] as number),
      id: ((query[0] as number) << 8) | (query[1] as number),
    });
    return 0;
  }

  private connect(server: string, owner: StreamOwner): Stream {
    const state = { owner, closed: false };
    this.streams.set(server, state);
    return {
      owner,
      local: { path: "" },
      remote: { path: server },
      isEnding: false,
      keep: () => undefined,
      write: (memory, offset, size) => {
        // Takes a message at a time: what is left is offered again.
        const length = ((memory.bytes[offset] as number) << 8) | (memory.bytes[offset + 1] as number);
        this.note(server, "tcp", memory.bytes.slice(offset + 2, offset + 2 + length));
        return Math.min(size, 2 + length);
      },
      writeAll: () => 0,
      sendFile: () => 0,
      pauseReading: () => {},
      resumeReading: () => {},
      shutdownWrite: () => {},
      setNoDelay: () => {},
      setCork: () => {},
      setResetOnClose: () => {},
      tcpInfo: () => undefined,
      close: () => {
        state.closed = true;
      },
    };
  }

  /** The last query that was sent. */
  get last(): Sent {
    return this.sent.at(-1) as Sent;
  }

  /** Answers a query. */
  reply(query: Sent, records: readonly Bytes[], flags = 0): void {
    this.sockets.get(query.server)?.onDatagram(answer(query.id, query.name, query.type, records, flags));
  }

  advance(ms: number): void {
    const until = this.nowMs + ms;
    while (this.alarmAt <= until) {
      this.nowMs = Math.max(this.nowMs, this.alarmAt);
      this.alarmAt = Number.POSITIVE_INFINITY;
      this.ring();
    }
    this.nowMs = until;
  }

  /** Looks a name up; the results go to the list, addresses as text, failures as code. */
  lookUp(host: string, timeoutMs = 30_000): string[] {
    const results: string[] = [];
    this.resolver.resolveName(host, timeoutMs, (result) => results.push(show(result)));
    return results;
  }
}

function show(result: Resolution<readonly Bytes[]>): string {
  return result.ok ? result.value.map(printIp).join(" ") : String(result.code);
}

const v4 = (last: number, ttlS = 60): Bytes => record({ type: A, ttlS, data: Uint8Array.of(192, 0, 2, last) });
const v6 = (last: number): Bytes =>
  record({ type: AAAA, data: Uint8Array.of(0x20, 1, ...new Array(13).fill(0), last) });
const alias = (target: string, owner = ""): Bytes => record({ owner, type: CNAME, data: name(target) });

test("an answer is kept for its TTL; then the next server is asked", () => {
  const network = new Network();
  const first = network.lookUp("Www.Example.COM.");
  assert.deepEqual([network.last.server, network.last.name, network.last.type], ["ns1", "www.example.com", A]);
  assert.deepEqual(first, []);
  network.reply(network.last, [v4(1)]);
  assert.deepEqual(first, ["192.0.2.1"]);
  network.advance(60_000);
  assert.deepEqual(network.lookUp("www.example.com"), ["192.0.2.1"], "known without asking");
  assert.equal(network.sent.length, 1);
  network.advance(1000);
  network.lookUp("www.example.com");
  assert.deepEqual([network.sent.length, network.last.server], [2, "ns2"]);
});

test("valid= replaces the TTL", () => {
  const network = new Network({ validS: 2 });
  network.lookUp("a");
  network.reply(network.last, [v4(1, 600)]);
  network.advance(3000);
  assert.deepEqual(network.lookUp("a"), []);
});

test("all who wait for a name share its query", () => {
  const network = new Network();
  const results = [network.lookUp("a"), network.lookUp("a"), network.lookUp("A.")];
  assert.equal(network.sent.length, 1);
  network.reply(network.last, [v4(1), v4(2)]);
  assert.deepEqual(results.flat(), ["192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"]);
});

test("known addresses are rotated, so that the first one is not always the same", () => {
  const network = new Network();
  network.lookUp("a");
  network.reply(network.last, [v4(1), v4(2), v4(3)]);
  network.random = 0.34;
  assert.deepEqual(network.lookUp("a"), ["192.0.2.3 192.0.2.1 192.0.2.2"], "by one in the family, by one in all");
});

test("both families are asked for, and waited for", () => {
  const network = new Network({ ipv6: true });
  const results = network.lookUp("a");
  const [four, six] = network.sent as [Sent, Sent];
  assert.deepEqual([four.type, six.type], [A, AAAA]);
  network.reply(six, [v6(1)]);
  assert.deepEqual(results, []);
  network.reply(four, []);
  assert.deepEqual(results, ["2001::1"]);
  const only6 = new Network({ ipv4: false, ipv6: true });
  only6.lookUp("a");
  assert.deepEqual(
    only6.sent.map(({ type }) => type),
    [AAAA],
  );
});

test("an error of one family is the error of the name", () => {
  const network = new Network({ ipv6: true });
  const results = network.lookUp("a");
  const [four, six] = network.sent as [Sent, Sent];
  network.reply(four, [], SERVER_FAILURE);
  network.reply(six, [v6(1)]);
  assert.deepEqual(results, [String(SERVER_FAILURE)]);
});

test("failures are told with nginx's words, and not kept", () => {
  const network = new Network();
  for (const [code, words] of [
    [NAME_ERROR, "Host not found"],
    [SERVER_FAILURE, "Server failure"],
    [REFUSED, "Operation refused"],
  ] as const) {
    const results = network.lookUp("gone");
    network.reply(network.last, [], code);
    assert.deepEqual(results, [String(code)]);
    assert.equal(resolverCodeText(code), words);
  }
  assert.equal(network.sent.length, 3);
  const empty = network.lookUp("gone");
  network.reply(network.last, []);
  assert.deepEqual(empty, [String(NAME_ERROR)]);
  assert.equal(network.resolver.size, 0);
});

test("a name that can't be one is not found, an address is its own, and a resolver without servers fails", () => {
  const network = new Network();
  assert.deepEqual(network.lookUp("a..b"), [String(NAME_ERROR)]);
  assert.deepEqual(network.lookUp("192.0.2.9"), ["192.0.2.9"]);
  assert.equal(network.sent.length, 0);
  assert.deepEqual(new Network({}, []).lookUp("a"), [String(SERVER_FAILURE)]);
});

test("without an answer the servers are asked in turn every five seconds, until the time is up", () => {
  const network = new Network();
  const results = network.lookUp("a", 12_000);
  network.advance(11_000);
  assert.deepEqual(
    network.sent.map(({ server }) => server),
    ["ns1", "ns2", "ns1"],
  );
  assert.deepEqual(results, []);
  network.advance(2000);
  assert.deepEqual(results, [String(TIMED_OUT)]);
  network.advance(10_000);
  assert.equal(network.sent.length, 3, "nobody waits any more");
  assert.equal(network.resolver.size, 0);
});

test("a late answer to an earlier try is taken", () => {
  const network = new Network();
  const results = network.lookUp("a");
  const first = network.last;
  network.advance(6000);
  assert.equal(network.last.id, first.id);
  network.reply(first, [v4(1)]);
  assert.deepEqual(results, ["192.0.2.1"]);
});

test("a server whose socket fails is passed over at once, and the failure logged", () => {
  const network = new Network();
  network.dead.add("ns1");
  const results = network.lookUp("a");
  assert.equal(network.last.server, "ns2");
  network.reply(network.last, [v4(1)]);
  assert.deepEqual(results, ["192.0.2.1"]);
  assert.deepEqual(network.logged, [`connect() failed ${ECONNREFUSED}`]);
  network.sockets.get("ns2")?.onError(ECONNREFUSED);
  assert.equal(network.sockets.size, 0);
});

test("answers that nobody asked for are logged and change nothing", () => {
  const network = new Network();
  const results = network.lookUp("a");
  const query = network.last;
  network.reply({ ...query, id: query.id ^ 1 }, [v4(9)]);
  network.reply({ ...query, name: "b" }, [v4(9)]);
  network.reply({ ...query, type: AAAA }, [v6(9)]);
  network.reply(query, [], 1);
  network.reply({ ...query, id: query.id ^ 1 }, [], 1);
  network.reply(query, [], 9);
  network.sockets.get("ns1")?.onDatagram(new Uint8Array(3));
  assert.deepEqual(results, []);
  network.reply(query, [record({ type: 99, data: new Uint8Array(1) }), v4(1)]);
  network.reply(query, [v4(9)]);
  assert.deepEqual(results, ["192.0.2.1"]);
  assert.deepEqual(network.logged, [
    `wrong ident ${query.id ^ 1} in DNS response for a, expect ${query.id}`,
    "unexpected DNS response for b",
    "unexpected DNS response for a",
    `DNS error (1: Format error), query id:${query.id}, name:"a"`,
    `DNS error (1: Format error), query id:${query.id ^ 1}`,
    `DNS error (9: Unknown error), query id:${query.id}`,
    "short DNS response",
    "unexpected RR type 99 in DNS response",
    "unexpected DNS response for a",
  ]);
});

test("a server that is down passes its questions to the next one at once, and only once round", () => {
  const network = new Network({}, ["ns1", "ns2", "ns3"]);
  const found = network.lookUp("a.b");
  const asked = (): string => network.sent.map(({ server }) => server).join(" ");
  network.sockets.get("ns1")?.onError(ECONNREFUSED);
  assert.equal(asked(), "ns1 ns2");
  network.sockets.get("ns2")?.onError(ECONNREFUSED);
  network.sockets.get("ns3")?.onError(ECONNREFUSED);
  assert.equal(asked(), "ns1 ns2 ns3");
  network.advance(5000);
  assert.equal(asked(), "ns1 ns2 ns3 ns1");
  network.reply(network.last, [v4(1)]);
  assert.deepEqual(found, ["192.0.2.1"]);
  const other = network.lookUp("c.d");
  network.sockets.get("ns1")?.onError(ECONNREFUSED);
  assert.equal(network.last.server, "ns2", "the question of another server stays");
  assert.deepEqual(other, []);
});

test("the last of both families' answers says whether a name is an alias", () => {
  const network = new Network({ ipv6: true });
  const ends = network.lookUp("a.b");
  const [forA, forAaaa] = network.sent as [Sent, Sent];
  network.reply(forA, [alias("c.d")]);
  network.reply(forAaaa, []);
  assert.deepEqual(ends, [String(NAME_ERROR)]);
  network.lookUp("e.f");
  const [again, againAaaa] = network.sent.slice(-2) as [Sent, Sent];
  network.reply(again, []);
  network.reply(againAaaa, [alias("c.d")]);
  assert.equal(network.last.name, "c.d");
});

test("aliases are followed, from the answer or by asking on, and not for ever", () => {
  const network = new Network();
  const chain = network.lookUp("a");
  network.reply(network.last, [alias("b.c"), record({ owner: "b.c", type: A, data: Uint8Array.of(1, 2, 3, 4) })]);
  assert.deepEqual(chain, ["1.2.3.4"]);
  const asked = network.lookUp("x");
  network.reply(network.last, [alias("y")]);
  assert.equal(network.last.name, "y");
  network.reply(network.last, [v4(7)]);
  assert.deepEqual(asked, ["192.0.2.7"]);
  assert.deepEqual(network.lookUp("x"), ["192.0.2.7"], "both are known");
  const circle = network.lookUp("c0");
  for (let i = 0; i < 60 && circle.length === 0; i++) network.reply(network.last, [alias(`c${i + 1}`)]);
  assert.deepEqual(circle, [String(NAME_ERROR)]);
  const known = network.lookUp("c0");
  assert.deepEqual(known, [String(NAME_ERROR)]);
});

test("two aliases that name each other end", () => {
  const network = new Network();
  const results = network.lookUp("a");
  network.reply(network.last, [alias("b")]);
  network.reply(network.last, [alias("a")]);
  assert.deepEqual(results, [String(NAME_ERROR)]);
});

test("what does not fit into a datagram is asked again over TCP, in parts if need be", () => {
  const network = new Network();
  const results = network.lookUp("big");
  network.reply(network.last, [], TRUNCATED);
  const stream = network.streams.get("ns1") as { owner: StreamOwner; closed: boolean };
  assert.equal(network.sent.length, 1, "not connected yet");
  stream.owner.onWritable();
  assert.equal(network.last.via, "tcp");
  network.reply({ ...network.last }, [], TRUNCATED);
  const message = answer(
    network.last.id,
    "big",
    A,
    Array.from({ length: 60 }, (_, i) => v4(i)),
  );
  const bytes = concatBytes([Uint8Array.of(message.length >> 8, message.length & 0xff), message]);
  for (const [from, to] of [
    [0, 1],
    [1, 300],
    [300, bytes.length],
  ] as const) {
    stream.owner.onData({ bytes, address: 0 }, from, to);
  }
  assert.equal(results[0]?.split(" ").length, 60);
  stream.owner.onEnd();
  assert.equal(stream.closed, true);
});

test("a TCP connection that does not come about is given up", () => {
  const network = new Network();
  network.lookUp("big");
  network.reply(network.last, [], TRUNCATED);
  network.advance(5100);
  assert.equal(network.streams.get("ns1")?.closed, true);
  const again = network.streams.get("ns2") as { owner: StreamOwner; closed: boolean };
  again.owner.onError(ECONNREFUSED);
  assert.equal(again.closed, true);
  assert.deepEqual(network.logged, [`connect() failed ${ECONNREFUSED}`]);
});

test("a service is its targets' addresses, by priority, then beginning by weight", () => {
  const network = new Network();
  const results: string[] = [];
  network.resolver.resolveService("http", "example.com", 1000, (result) => {
    assert.ok(result.ok);
    for (const { address, port, priority, weight, name: target } of result.value) {
      results.push(`${printIp(address)}:${port} ${priority} ${weight} ${target}`);
    }
  });
  assert.deepEqual([network.last.name, network.last.type], ["_http._tcp.example.com", SRV]);
  network.random = 0.99;
  network.reply(network.last, [
    record({ type: SRV, data: srv(20, 5, 8003, "c") }),
    record({ type: SRV, data: srv(10, 1, 8001, "a") }),
    record({ type: SRV, data: srv(10, 3, 8002, "b") }),
  ]);
  for (const query of network.sent.slice(1)) network.reply(query, [v4(query.name.charCodeAt(0))]);
  assert.deepEqual(results, ["192.0.2.98:8002 10 3 b", "192.0.2.97:8001 10 1 a", "192.0.2.99:8003 20 5 c"]);
  network.resolver.resolveService("_x._udp", "example.com", 1000, () => {});
  assert.equal(network.last.name, "_x._udp.example.com");
});

test("a service without any address is not found", () => {
  const network = new Network();
  const results: string[] = [];
  network.resolver.resolveService("http", "e", 1000, (result) =>
    results.push(result.ok ? "found" : String(result.code)),
  );
  network.reply(network.last, [
    record({ type: SRV, data: srv(1, 1, 80, "a") }),
    record({ type: SRV, data: srv(1, 1, 80, "b") }),
  ]);
  const [, first, second] = network.sent as [Sent, Sent, Sent];
  network.reply(first, [], SERVER_FAILURE);
  network.reply(second, [], NAME_ERROR);
  assert.deepEqual(results, [String(NAME_ERROR)]);
});

test("an address is asked for its name", () => {
  const network = new Network();
  const results: string[] = [];
  network.resolver.resolveAddress(Uint8Array.of(192, 0, 2, 1), 1000, (result) =>
    results.push(result.ok ? result.value : "?"),
  );
  assert.equal(network.last.name, "1.2.0.192.in-addr.arpa");
  network.reply(network.last, [record({ type: PTR, data: name("Host.Example") })]);
  assert.deepEqual(results, ["host.example"]);
});

test("who has cancelled is not told", () => {
  const network = new Network();
  let told = false;
  const lookup = network.resolver.resolveName("a", 1000, () => {
    told = true;
  });
  const other = network.lookUp("a");
  lookup.cancel();
  network.reply(network.last, [v4(1)]);
  network.advance(2000);
  assert.deepEqual([told, other], [false, ["192.0.2.1"]]);
});

test("names that nobody asks for are forgotten after half a minute", () => {
  const network = new Network({ validS: 3600 });
  for (let i = 0; i < 20; i++) {
    network.lookUp(`n${i}`);
    network.reply(network.last, [v4(1)]);
  }
  network.advance(31_000);
  for (let i = 0; i < 10; i++) {
    network.lookUp(`m${i}`);
    network.reply(network.last, [v4(1)]);
  }
  assert.equal(network.resolver.size, 10);
});

test("an answer without anything that was asked for is a failure, and said to be one", () => {
  const network = new Network();
  const results = network.lookUp("a");
  network.reply(network.last, [record({ type: 16, data: Uint8Array.of(0) })]);
  assert.deepEqual(results, [String(NAME_ERROR)]);
  assert.deepEqual(network.logged, ["unexpected RR type 16 in DNS response", "no A or CNAME types in DNS response"]);
});
