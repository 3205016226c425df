import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { parseIp } from "../../base/ip.ts";
import type { ConnectSettings } from "../../io/reactor.ts";
import type { Endpoint } from "../../io/stream.ts";
import { EADDRNOTAVAIL, EPERM } from "../errno.ts";
import { close } from "../ffi/files.ts";
import { IP_TRANSPARENT, IPPROTO_IP, SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET } from "../ffi/sockets.ts";
import { allocateMemory } from "../memory.ts";
import { SocketOptions } from "../socket-options.ts";
import { openOutgoing } from "./outgoing.ts";

const PLAIN: ConnectSettings = { receiveBuffer: 0, sendBuffer: 0, keepAlive: false, transparent: false };
const FOREIGN: Endpoint = { ip: parseIp("192.0.2.7") as Uint8Array, port: 0 };

describe("a socket that connects", () => {
  const socketOptions = new SocketOptions(allocateMemory(1));
  const host = { addressMemory: allocateMemory(1), socketOptions };
  const listener = net.createServer((socket) => socket.destroy());
  let remote: Endpoint;

  before(async () => {
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    remote = { ip: Uint8Array.of(127, 0, 0, 1), port: (listener.address() as net.AddressInfo).port };
  });
  after(() => listener.close());

  const option = (fd: number, name: number): number => socketOptions.getInt(fd, SOL_SOCKET, name) ?? -1;

  test("has the buffers and probes that were asked for, and none that were not", () => {
    const settings = { ...PLAIN, receiveBuffer: 12_000, sendBuffer: 13_000, keepAlive: true };
    const fd = openOutgoing(host, remote, undefined, settings);
    assert.ok(typeof fd === "number");
    // The kernel doubles what is asked for.
    assert.deepEqual([option(fd, SO_RCVBUF), option(fd, SO_SNDBUF), option(fd, SO_KEEPALIVE)], [24_000, 26_000, 1]);
    close(fd);
    const plain = openOutgoing(host, remote, undefined, PLAIN);
    assert.ok(typeof plain === "number");
    assert.ok(option(plain, SO_RCVBUF) > 24_000);
    assert.equal(option(plain, SO_KEEPALIVE), 0);
    close(plain);
  });

  test("may be bound to a foreign address only when it is transparent", () => {
    assert.deepEqual(openOutgoing(host, remote, FOREIGN, PLAIN), { call: "bind()", errno: EADDRNOTAVAIL });
    const fd = openOutgoing(host, remote, FOREIGN, { ...PLAIN, transparent: true });
    // Without the right to it; or nothing answers a foreign address here, so that a refusal by the route is as good.
    if (typeof fd === "number") {
      assert.equal(socketOptions.getInt(fd, IPPROTO_IP, IP_TRANSPARENT), 1);
      close(fd);
    } else assert.ok(fd.call === "" || fd.errno === EPERM, fd.call);
  });
});
