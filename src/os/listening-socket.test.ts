import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import net from "node:net";
import { describe, test } from "node:test";
import { parseIp } from "../base/ip.ts";
import type { ListenSpec } from "../io/listen.ts";
import { EADDRINUSE, SystemError } from "./errno.ts";
import {
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_SNDBUF,
  SOL_SOCKET,
  TCP_DEFER_ACCEPT,
  TCP_FASTOPEN,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from "./ffi/sockets.ts";
import { ListeningSockets } from "./listening-socket.ts";
import { allocateMemory } from "./memory.ts";
import { SocketOptions } from "./socket-options.ts";

const ip = (text: string): Uint8Array => parseIp(text) as Uint8Array;
/** A kernel without it, or one that has it switched off, makes no such socket. */
const hasMultipath = (): boolean =>
  spawnSync("cat", ["/proc/sys/net/mptcp/enabled"], { encoding: "utf8" }).stdout.trim() === "1";
const hasIpv6 = net.isIPv6("::1") && spawnSync("test", ["-e", "/proc/net/if_inet6"]).status === 0;

describe("listening sockets", () => {
  const warnings: string[] = [];
  const sockets = new ListeningSockets((sentence) => warnings.push(sentence));
  const options = new SocketOptions(allocateMemory(1));

  /** Opens, looks and closes. */
  function withSocket<T>(spec: ListenSpec, look: (fd: number, port: number) => T): T {
    const fd = sockets.open(spec);
    try {
      const local = options.localEndpoint(fd);
      return look(fd, "port" in local ? local.port : 0);
    } finally {
      sockets.close(fd);
    }
  }
  const loopback = { ip: ip("127.0.0.1"), port: 0 };

  test("every option of listen reaches the kernel", () => {
    const spec: ListenSpec = {
      endpoint: loopback,
      receiveBufferBytes: 65536,
      sendBufferBytes: 32768,
      deferred: true,
      fastOpen: 5,
      keepAlive: { idleS: 1800, intervalS: 7, count: 3 },
    };
    withSocket(spec, (fd) => {
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_REUSEADDR), 1);
      // The kernel doubles the sizes of buffers, for its own bookkeeping.
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_RCVBUF), 2 * 65536);
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_SNDBUF), 2 * 32768);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_FASTOPEN), 5);
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1800);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    });
    withSocket({ endpoint: loopback }, (fd) => {
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
    });
    assert.deepEqual(warnings, []);
  });

  test("what a reload takes back is taken back, and a new backlog holds", () => {
    const deferred: ListenSpec = { endpoint: loopback, deferred: true, backlog: 5 };
    withSocket(deferred, (fd) => {
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1);
      sockets.change(fd, deferred, { endpoint: loopback, backlog: 7, receiveBufferBytes: 65536 });
      assert.equal(options.getInt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
      assert.equal(options.getInt(fd, SOL_SOCKET, SO_RCVBUF), 2 * 65536);
    });
    assert.deepEqual(warnings, []);
  });

  test("a socket of Multipath TCP is known as one, where the kernel has it", {
    skip: !hasMultipath() && "no MPTCP here",
  }, () => {
    withSocket({ endpoint: loopback, multipath: true }, (fd) => assert.equal(sockets.inspect(fd)?.multipath, true));
    withSocket({ endpoint: loopback }, (fd) => assert.equal(sockets.inspect(fd)?.multipath, false));
  });

  // Of an address other than "::" the kernel makes an IPv6-only socket in any case.
  test("an IPv6 socket takes IPv4 only with ipv6only=off", { skip: !hasIpv6 && "this machine has no IPv6" }, () => {
    for (const ipv6Only of [undefined, true, false]) {
      const spec: ListenSpec = {
        endpoint: { ip: ip("::"), port: 0 },
        ...(ipv6Only === undefined ? {} : { ipv6Only }),
      };
      const value = withSocket(spec, (fd) => options.getInt(fd, IPPROTO_IPV6, IPV6_V6ONLY));
      assert.equal(value, ipv6Only === false ? 0 : 1);
    }
  });

  test("an address in use is told with its errno; reuseport shares it", () => {
    withSocket({ endpoint: loopback }, (_fd, port) => {
      const again = (): number => sockets.open({ endpoint: { ...loopback, port } });
      assert.throws(again, (error: unknown) => {
        assert.ok(error instanceof SystemError);
        assert.equal(error.message, `bind() to 127.0.0.1:${port} failed (98: Address already in use)`);
        return error.call === "bind()" && error.errno === EADDRINUSE;
      });
    });
    withSocket({ endpoint: loopback, reusePort: true }, (_fd, port) => {
      withSocket({ endpoint: { ...loopback, port }, reusePort: true }, (_other, samePort) => {
        assert.equal(samePort, port);
      });
    });
  });

  test("a unix socket is open to everybody, and what it is can be told from its descriptor", () => {
    const path = `/tmp/listening-${process.pid}.sock`;
    withSocket({ endpoint: { path } }, (fd) => {
      assert.equal(statSync(path).mode & 0o777, 0o666);
      assert.deepEqual(sockets.inspect(fd), { endpoint: { path }, datagram: false, multipath: false });
    });
    rmSync(path);
    withSocket({ endpoint: loopback, datagram: true }, (fd, port) => {
      assert.deepEqual(sockets.inspect(fd), {
        endpoint: { ip: ip("127.0.0.1"), port },
        datagram: true,
        multipath: false,
      });
    });
    assert.equal(sockets.inspect(9999), undefined);
  });

  test("a descriptor is inherited only when that is asked for", () => {
    withSocket({ endpoint: loopback }, (fd) => {
      const inherits = (): boolean =>
        spawnSync("sh", ["-c", `test -e /proc/self/fd/${fd}`], { stdio: ["ignore", "ignore", "ignore"] }).status === 0;
      assert.equal(inherits(), false);
      sockets.setInheritable(fd, true);
      assert.equal(inherits(), true);
      sockets.setInheritable(fd, false);
      assert.equal(inherits(), false);
    });
  });
});
