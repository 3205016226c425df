/**
 * UDP with hop limits and addresses (ip(7), ipv6(7)), watched through libuv. One buffer serves all sockets: every call is
 * synchronous. keepalived's counterpart: the sockets of bfd_scheduler.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Memory } from "../io/memory.ts";
import type { OnUdp, Udp, UdpReceiver, UdpSender, UdpSenderSettings } from "../io/udp.ts";
import { EADDRINUSE, systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "./ffi/native.ts";
import {
  IP_PKTINFO,
  IP_RECVTTL,
  IP_TOS,
  IP_TTL,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  MSGHDR_BYTES,
  recvmsg,
  SO_PRIORITY,
} from "./ffi/packets.ts";
import {
  AF_INET,
  AF_INET6,
  bind,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  sendto,
  setsockopt,
  socket,
} from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

/** TC_PRIO_CONTROL, and internetwork control (CS6): these packets go first. */
const PRIORITY_CONTROL = 7;
const CLASS_CONTROL = 0xc0;
/** Datagrams that are taken from a socket before the loop goes on. */
const DRAIN_DATAGRAMS = 256;
const EMSGSIZE = 90;

/** What is longer is cut: nobody here speaks that long. */
const DATAGRAM_BYTES = 2048;
/** The parts of the shared memory. */
const SEND = 0;
const RECEIVE = SEND + DATAGRAM_BYTES;
const ADDRESS = RECEIVE + DATAGRAM_BYTES;
const OPTION = ADDRESS + 64;
const MESSAGE = OPTION + 16;
const VECTOR = MESSAGE + 64;
const CONTROL = VECTOR + 16;
const CONTROL_BYTES = 256;

const SOCKADDR_BYTES = { 4: 16, 6: 28 } as const;
const ANY = { 4: new Uint8Array(4), 6: new Uint8Array(16) } as const;

/** Opens sockets in the network namespace of this process. */
export class KernelUdp implements Udp {
  readonly #memory: Memory = allocateMemory(CONTROL + CONTROL_BYTES);

  receive(family: 4 | 6, port: number, onDatagram: OnUdp): UdpReceiver {
    return new Receiver(new Descriptor(this.#memory, family), port, onDatagram);
  }

  sender(settings: UdpSenderSettings): UdpSender {
    return new Sender(new Descriptor(this.#memory, settings.destination.length === 4 ? 4 : 6), settings);
  }
}

/** What sockets of both kinds do with the shared memory. */
class Descriptor {
  readonly memory: Memory;
  readonly view: DataView;
  readonly family: 4 | 6;
  readonly fd: number;

  constructor(memory: Memory, family: 4 | 6) {
    this.memory = memory;
    this.view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
    this.family = family;
    this.fd = socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (this.fd < 0) throw systemError("socket", errno(), "UDP");
  }

  /** Sets an option of the family's own level. Throws when the kernel refuses. */
  set(name: number, value: number, what: string): void {
    this.setAt(this.family === 4 ? IPPROTO_IP : IPPROTO_IPV6, name, value, what);
  }

  setAt(level: number, name: number, value: number, what: string): void {
    this.view.setInt32(OPTION, value, true);
    if (setsockopt(this.fd, level, name, this.memory.address + OPTION, 4) < 0) this.fail("setsockopt", what);
  }

  /** Puts a `struct sockaddr_in` or `sockaddr_in6` into the address area. */
  putAddress(address: IpAddress, port: number): void {
    const { bytes } = this.memory;
    bytes.fill(0, ADDRESS, ADDRESS + SOCKADDR_BYTES[6]);
    this.view.setUint16(ADDRESS, this.family === 4 ? AF_INET : AF_INET6, true);
    this.view.setUint16(ADDRESS + 2, port);
    bytes.set(address, ADDRESS + (this.family === 4 ? 4 : 8));
  }

  /** 0 or errno. */
  bind(address: IpAddress, port: number): number {
    this.putAddress(address, port);
    return bind(this.fd, this.memory.address + ADDRESS, SOCKADDR_BYTES[this.family]) < 0 ? errno() : 0;
  }

  /** Closes the descriptor and throws. */
  fail(call: string, what: string, failure = errno()): never {
    close(this.fd);
    throw systemError(call, failure, what);
  }
}

class Receiver implements UdpReceiver {
  readonly #descriptor: Descriptor;
  readonly #onDatagram: OnUdp;
  readonly #watch: FdWatch;
  #isOpen = true;

  constructor(descriptor: Descriptor, port: number, onDatagram: OnUdp) {
    this.#descriptor = descriptor;
    this.#onDatagram = onDatagram;
    if (descriptor.family === 4) {
      descriptor.set(IP_RECVTTL, 1, "IP_RECVTTL");
      descriptor.set(IP_PKTINFO, 1, "IP_PKTINFO");
    } else {
      descriptor.set(IPV6_V6ONLY, 1, "IPV6_V6ONLY");
      descriptor.set(IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
      descriptor.set(IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
    }
    const failure = descriptor.bind(ANY[descriptor.family], port);
    if (failure !== 0) descriptor.fail("bind", `UDP port ${port}`, failure);
    this.#watch = watchReadable(descriptor.fd, () => this.drain());
  }

  drain(): void {
    const { memory, view, fd, family } = this.#descriptor;
    const at = BigInt(memory.address);
    for (let i = 0; i < DRAIN_DATAGRAMS && this.#isOpen; i++) {
      memory.bytes.fill(0, MESSAGE, MESSAGE + MSGHDR_BYTES);
      view.setBigUint64(MESSAGE, at + BigInt(ADDRESS), true);
      view.setUint32(MESSAGE + 8, SOCKADDR_BYTES[6], true);
      view.setBigUint64(MESSAGE + 16, at + BigInt(VECTOR), true);
      view.setBigUint64(MESSAGE + 24, 1n, true);
      view.setBigUint64(MESSAGE + 32, at + BigInt(CONTROL), true);
      view.setBigUint64(MESSAGE + 40, BigInt(CONTROL_BYTES), true);
      view.setBigUint64(VECTOR, at + BigInt(RECEIVE), true);
      view.setBigUint64(VECTOR + 8, BigInt(DATAGRAM_BYTES), true);
      const received = Number(recvmsg(fd, memory.address + MESSAGE, MSG_DONTWAIT));
      if (received < 0) return;
      const offset = ADDRESS + (family === 4 ? 4 : 8);
      const source = memory.bytes.slice(offset, offset + (family === 4 ? 4 : 16));
      const sourcePort = view.getUint16(ADDRESS + 2);
      const way = this.#way(Number(view.getBigUint64(MESSAGE + 40, true)));
      if (way !== undefined)
        this.#onDatagram(memory.bytes.slice(RECEIVE, RECEIVE + received), { source, sourcePort, ...way });
    }
  }

  /** Destination and hop limit from the control messages (`struct cmsghdr`: length, level, type). */
  #way(controlBytes: number): { readonly destination: IpAddress; readonly hopLimit: number } | undefined {
    const { memory, view, family } = this.#descriptor;
    const [information, limit] = family === 4 ? [IP_PKTINFO, IP_TTL] : [IPV6_PKTINFO, IPV6_HOPLIMIT];
    let destination: IpAddress | undefined;
    let hopLimit: number | undefined;
    for (let at = CONTROL; at + 16 <= CONTROL + controlBytes; ) {
      const length = Number(view.getBigUint64(at, true));
      if (length < 16) break;
      const type = view.getInt32(at + 12, true);
      // `struct in_pktinfo`: interface, local address, destination; `in6_pktinfo`: destination, interface.
      if (type === information)
        destination = family === 4 ? memory.bytes.slice(at + 24, at + 28) : memory.bytes.slice(at + 16, at + 32);
      if (type === limit) hopLimit = view.getInt32(at + 16, true);
      at += Math.ceil(length / 8) * 8;
    }
    return destination === undefined || hopLimit === undefined ? undefined : { destination, hopLimit };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    close(this.#descriptor.fd);
  }
}

class Sender implements UdpSender {
  readonly #descriptor: Descriptor;
  readonly #destination: IpAddress;
  readonly #port: number;

  constructor(descriptor: Descriptor, { destination, port, source, sourcePorts, hopLimit }: UdpSenderSettings) {
    this.#descriptor = descriptor;
    this.#destination = destination;
    this.#port = port;
    descriptor.setAt(SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL, "SO_PRIORITY");
    const [limit, trafficClass] = descriptor.family === 4 ? [IP_TTL, IP_TOS] : [IPV6_UNICAST_HOPS, IPV6_TCLASS];
    descriptor.set(trafficClass, CLASS_CONTROL, "traffic class");
    descriptor.set(limit, hopLimit, "hop limit");
    const { min, max, first } = sourcePorts;
    for (let at = first; ; ) {
      const failure = descriptor.bind(source ?? ANY[descriptor.family], at);
      if (failure === 0) return;
      at = at === max ? min : at + 1;
      if (failure !== EADDRINUSE || at === first) descriptor.fail("bind", "UDP source", failure);
    }
  }

  send(bytes: Bytes): number {
    if (bytes.length > DATAGRAM_BYTES) return -EMSGSIZE;
    const { memory, fd, family } = this.#descriptor;
    memory.bytes.set(bytes, SEND);
    this.#descriptor.putAddress(this.#destination, this.#port);
    const { address } = memory;
    const sent = sendto(fd, address + SEND, bytes.length, MSG_DONTWAIT, address + ADDRESS, SOCKADDR_BYTES[family]);
    return sent < 0 ? -errno() : 0;
  }

  close(): void {
    close(this.#descriptor.fd);
  }
}
