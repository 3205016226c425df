import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { type Bytes, concatBytes, fromLatin1, latin1 } from "../base/bytes.ts";
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Datagram, DatagramOwner } from "../io/datagram.ts";
import type { Endpoint } from "../io/stream.ts";
import { Resolver } from "../net/resolver.ts";
import { Timers } from "../net/timers.ts";
import { answer, record, TRUNCATED } from "../wire/dns/dns.cases.ts";
import { A } from "../wire/dns/message.ts";
import { KernelDatagrams } from "./datagrams.ts";
import { ECONNREFUSED, ENOENT } from "./errno.ts";
import { kernelMemory } from "./memory.ts";
import { EpollReactor } from "./reactor/epoll.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);

/** A UDP socket of Node's on loopback that answers each datagram with what `reply` makes of it. */
async function server(
  reply: (message: Bytes) => Bytes,
): Promise<{ socket: dgram.Socket; endpoint: Endpoint; port: number }> {
  const socket = dgram.createSocket("udp4", (message, from) => socket.send(reply(message), from.port, from.address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  return { socket, endpoint: { ip: LOOPBACK, port }, port };
}

function opened(result: Datagram | number): Datagram {
  assert.ok(typeof result === "object", `connected: ${String(result)}`);
  return result;
}

test("datagrams go to the peer and come from it, several in one wake-up", async () => {
  const { socket, endpoint } = await server((message) => fromLatin1(latin1(message).toUpperCase()));
  const got: string[] = [];
  const datagram = await new Promise<Datagram>((resolve) => {
    const mine: Datagram = opened(
      new KernelDatagrams().connect(endpoint, {
        onDatagram: (bytes) => {
          got.push(latin1(bytes));
          if (got.length === 3) resolve(mine);
        },
        onError: (errno) => assert.fail(`errno ${errno}`),
      }),
    );
    for (const text of ["one", "", "three"]) assert.equal(mine.send(fromLatin1(text)), 0);
  });
  assert.deepEqual(got, ["ONE", "", "THREE"]);
  datagram.close();
  datagram.close();
  socket.close();
});

/** The same on a port where `tcp` listens, too: of the free ones for UDP, one that is free for TCP. */
async function serverBeside(tcp: net.Server, reply: (message: Bytes) => Bytes): ReturnType<typeof server> {
  for (;;) {
    const made = await server(reply);
    const listens = await new Promise<boolean>((resolve) => {
      tcp.once("error", () => resolve(false));
      tcp.listen(made.port, "127.0.0.1", () => resolve(true));
    });
    tcp.removeAllListeners("error");
    if (listens) return made;
    made.socket.close();
  }
}

test("a port where nobody listens is an error, and a path that isn't there", async () => {
  const { socket, endpoint } = await server((message) => message);
  socket.close();
  await once(socket, "close");
  const errno = await new Promise<number>((resolve) => {
    const owner: DatagramOwner = {
      onDatagram: () => assert.fail("nobody answers"),
      onError: (error) => {
        datagram.close();
        resolve(error);
      },
    };
    const datagram = opened(new KernelDatagrams().connect(endpoint, owner));
    datagram.send(fromLatin1("hello"));
  });
  assert.equal(errno, ECONNREFUSED);
  const nowhere: DatagramOwner = { onDatagram: () => {}, onError: () => {} };
  assert.equal(new KernelDatagrams().connect({ path: "/nonexistent/socket" }, nowhere), -ENOENT);
});

const addresses = (count: number): Bytes[] =>
  Array.from({ length: count }, (_, i) => record({ type: A, data: Uint8Array.of(192, 0, 2, i) }));

test("the resolver asks a name server over UDP, and over TCP what does not fit", async () => {
  const answerTo = (query: Bytes, records: readonly Bytes[], flags: number): Bytes => {
    const id = ((query[0] as number) << 8) | (query[1] as number);
    const label = latin1(query, 13, 13 + (query[12] as number));
    return answer(id, label, A, label === "big" || flags === 0 ? records : [], label === "big" ? flags : 0);
  };
  const reply = (query: Bytes): Bytes =>
    latin1(query, 13, 16) === "big" ? answerTo(query, [], TRUNCATED) : answerTo(query, addresses(2), 0);
  const tcp = net.createServer((connection) => {
    connection.on("data", (data) => {
      const reply = answerTo(data.subarray(2), addresses(200), 0);
      connection.write(concatBytes([Uint8Array.of(reply.length >> 8, reply.length & 0xff), reply]));
    });
    connection.on("error", () => {});
  });
  const { socket, endpoint } = await serverBeside(tcp, reply);

  const reactor = new EpollReactor();
  const lines: string[] = [];
  const log: Log = { enabled: () => true, write: (_level, message) => lines.push(message) };
  const resolver = new Resolver(
    { servers: [{ endpoint, label: "ns" }], validS: 0, ipv4: true, ipv6: false },
    {
      clock: reactor.clock,
      timers: new Timers(reactor.clock, (ring) => reactor.alarm(ring)),
      datagrams: new KernelDatagrams(),
      streams: reactor,
      memory: kernelMemory,
      log,
      random: Math.random,
    },
  );
  const lookUp = (name: string): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      resolver.resolveName(name, 5000, (result) => {
        if (result.ok) resolve(result.value.map(printIp));
        else reject(new Error(`${name}: ${result.code}`));
      });
    });
  assert.deepEqual([...(await lookUp("small"))], ["192.0.2.0", "192.0.2.1"]);
  assert.equal((await lookUp("big")).length, 200);
  assert.deepEqual(lines, []);
  resolver.close();
  reactor.close();
  socket.close();
  tcp.close();
});
