/**
 * UDP with hop limits and addresses (ip(7), ipv6(7)), watched through libuv. keepalived's counterpart: the sockets of bfd_scheduler.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { OnUdp, Udp, UdpReceiver, UdpSender, UdpSenderSettings } from "../io/udp.ts";
import { EADDRINUSE } from "./errno.ts";
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
  SO_PRIORITY,
} from "./ffi/packets.ts";
import {
  AF_INET,
  AF_INET6,
  bind,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SOCK_DGRAM,
  SOL_SOCKET,
} from "./ffi/sockets.ts";
import {
  type ControlMessage,
  DRAIN_PACKETS,
  PacketDescriptor,
  PacketMemory,
  PRIORITY_CONTROL,
  TRAFFIC_CLASS_CONTROL,
} from "./packet-descriptor.ts";

/** What is longer is cut: nobody here speaks that long. */
const DATAGRAM_BYTES = 2048;

const SOCKADDR_BYTES = { 4: 16, 6: 28 } as const;
const ANY = { 4: new Uint8Array(4), 6: new Uint8Array(16) } as const;

/** Opens sockets in the network namespace of this process. */
export class KernelUdp implements Udp {
  readonly #memory = new PacketMemory(DATAGRAM_BYTES);

  receive(family: 4 | 6, port: number, onDatagram: OnUdp): UdpReceiver {
    return new Receiver(new UdpDescriptor(this.#memory, family), port, onDatagram);
  }

  sender(settings: UdpSenderSettings): UdpSender {
    return new Sender(new UdpDescriptor(this.#memory, settings.destination.length === 4 ? 4 : 6), settings);
  }
}

/** A UDP socket of one family. */
class UdpDescriptor extends PacketDescriptor {
  readonly family: 4 | 6;

  constructor(parts: PacketMemory, family: 4 | 6) {
    super(parts, family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0, "UDP");
    this.family = family;
  }

  /** Sets an option of the family's own level. Throws when the kernel refuses. */
  set(name: number, value: number, what: string): void {
    this.setInt(this.family === 4 ? IPPROTO_IP : IPPROTO_IPV6, name, value, what);
  }

  /** Puts a `struct sockaddr_in` or `sockaddr_in6` into the address area. */
  putAddress(ip: IpAddress, port: number): void {
    const { bytes, view } = this;
    const { address } = this.parts;
    bytes.fill(0, address, address + SOCKADDR_BYTES[6]);
    view.setUint16(address, this.family === 4 ? AF_INET : AF_INET6, true);
    view.setUint16(address + 2, port);
    bytes.set(ip, address + (this.family === 4 ? 4 : 8));
  }

  /** 0 or errno. */
  bind(ip: IpAddress, port: number): number {
    this.putAddress(ip, port);
    return bind(this.fd, this.at(this.parts.address), SOCKADDR_BYTES[this.family]) < 0 ? errno() : 0;
  }
}

class Receiver implements UdpReceiver {
  readonly #descriptor: UdpDescriptor;
  readonly #onDatagram: OnUdp;
  readonly #watch: FdWatch;
  #isOpen = true;

  constructor(descriptor: UdpDescriptor, port: number, onDatagram: OnUdp) {
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
    const { bytes, view, family, parts } = this.#descriptor;
    for (let i = 0; i < DRAIN_PACKETS && this.#isOpen; i++) {
      const message = this.#descriptor.takeMessage(SOCKADDR_BYTES[6]);
      if (message === undefined) return;
      const offset = parts.address + (family === 4 ? 4 : 8);
      const source = bytes.slice(offset, offset + (family === 4 ? 4 : 16));
      const sourcePort = view.getUint16(parts.address + 2);
      const way = this.#way(message.control);
      if (way !== undefined) this.#onDatagram(message.bytes, { source, sourcePort, ...way });
    }
  }

  /** Destination and hop limit. */
  #way(control: readonly ControlMessage[]): { readonly destination: IpAddress; readonly hopLimit: number } | undefined {
    const { bytes, view, family } = this.#descriptor;
    const [information, limit] = family === 4 ? [IP_PKTINFO, IP_TTL] : [IPV6_PKTINFO, IPV6_HOPLIMIT];
    let destination: IpAddress | undefined;
    let hopLimit: number | undefined;
    for (const { type, at } of control) {
      // `struct in_pktinfo`: interface, local address, destination; `in6_pktinfo`: destination, interface.
      if (type === information) destination = family === 4 ? bytes.slice(at + 8, at + 12) : bytes.slice(at, at + 16);
      if (type === limit) hopLimit = view.getInt32(at, true);
    }
    return destination === undefined || hopLimit === undefined ? undefined : { destination, hopLimit };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    this.#descriptor.close();
  }
}

class Sender implements UdpSender {
  readonly #descriptor: UdpDescriptor;
  readonly #destination: IpAddress;
  readonly #port: number;

  constructor(descriptor: UdpDescriptor, { destination, port, source, sourcePorts, hopLimit }: UdpSenderSettings) {
    this.#descriptor = descriptor;
    this.#destination = destination;
    this.#port = port;
    descriptor.setInt(SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL, "SO_PRIORITY");
    const [limit, trafficClass] = descriptor.family === 4 ? [IP_TTL, IP_TOS] : [IPV6_UNICAST_HOPS, IPV6_TCLASS];
    descriptor.set(trafficClass, TRAFFIC_CLASS_CONTROL, "traffic class");
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
    this.#descriptor.putAddress(this.#destination, this.#port);
    return this.#descriptor.send(bytes, SOCKADDR_BYTES[this.#descriptor.family]);
  }

  close(): void {
    this.#descriptor.close();
  }
}
