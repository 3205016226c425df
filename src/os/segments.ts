/**
 * VRRP's sockets in the kernel: raw IPv4 and IPv6 sockets of protocol 112, and packet sockets for ARP and neighbour
 * discovery. One buffer serves all of them: every call is synchronous. keepalived's counterpart: vrrp.c, vrrp_arp.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type {
  AdvertSocket,
  AdvertSocketSettings,
  FrameSocket,
  Ipv6Delivery,
  OnAdvertPacket,
  Segments,
} from "../io/segment.ts";
import { type FdWatch, watchReadable } from "./ffi/native.ts";
import {
  AF_PACKET,
  IP_ADD_MEMBERSHIP,
  IP_HDRINCL,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IPV6_HOPLIMIT,
  IPV6_JOIN_GROUP,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_PKTINFO,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  SO_BINDTODEVICE,
  SO_PRIORITY,
  SO_RCVBUFFORCE,
  SOCK_RAW,
} from "./ffi/packets.ts";
import {
  AF_INET,
  AF_INET6,
  bind,
  IPPROTO_IP,
  IPPROTO_IPV6,
  MSG_DONTWAIT,
  recv,
  SO_RCVBUF,
  SOL_SOCKET,
  setsockopt,
} from "./ffi/sockets.ts";
import {
  type ControlMessage,
  DRAIN_PACKETS,
  PacketDescriptor,
  PacketMemory,
  PRIORITY_CONTROL,
  TRAFFIC_CLASS_CONTROL,
} from "./packet-descriptor.ts";

const VRRP_PROTOCOL = 112;
/** The largest message: 8 bytes and 255 IPv6 addresses. */
const PACKET_BYTES = 8192;
/** Opens sockets in the network namespace of this process. */
export class KernelSegments implements Segments {
  readonly #memory = new PacketMemory(PACKET_BYTES);

  openAdverts(settings: AdvertSocketSettings, onPacket: OnAdvertPacket): AdvertSocket {
    return settings.family === 4
      ? new RawSocket4(this.#memory, settings, onPacket)
      : new RawSocket6(this.#memory, settings, onPacket);
  }

  openFrames(linkIndex: number): FrameSocket {
    return new PacketSocket(this.#memory, linkIndex);
  }
}

/** A raw socket, or one of packets. */
class RawDescriptor extends PacketDescriptor {
  constructor(parts: PacketMemory, domain: number, protocol: number) {
    super(parts, domain, SOCK_RAW, protocol, "raw");
  }

  /** The common part of advert sockets. */
  configure(settings: AdvertSocketSettings): void {
    const { link, receiveBufferBytes } = settings;
    this.setInt(SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL, "SO_PRIORITY");
    if (receiveBufferBytes !== undefined) this.setReceiveBuffer(receiveBufferBytes);
    if (link === undefined) return;
    const name = Buffer.from(`${link.name}\0`, "latin1");
    this.bytes.set(name, this.parts.option);
    this.setOption(SOL_SOCKET, SO_BINDTODEVICE, name.length, `SO_BINDTODEVICE ${link.name}`);
  }

  /** Beyond what an administrator allows to others, if we may. */
  setReceiveBuffer(sizeBytes: number): void {
    this.view.setInt32(this.parts.option, sizeBytes, true);
    const option = this.at(this.parts.option);
    if (setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, option, 4) < 0)
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, option, 4);
  }
}

class RawSocket4 implements AdvertSocket {
  readonly #descriptor: RawDescriptor;
  readonly #watch: FdWatch;
  readonly #onPacket: OnAdvertPacket;
  #isOpen = true;

  constructor(parts: PacketMemory, settings: AdvertSocketSettings, onPacket: OnAdvertPacket) {
    this.#onPacket = onPacket;
    const descriptor = new RawDescriptor(parts, AF_INET, settings.protocol ?? VRRP_PROTOCOL);
    this.#descriptor = descriptor;
    descriptor.configure(settings);
    descriptor.setInt(IPPROTO_IP, IP_HDRINCL, 1, "IP_HDRINCL");
    descriptor.setInt(IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP");
    // Without this the socket would hear every group that anybody on this machine has joined.
    descriptor.setInt(IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL");
    if (settings.link !== undefined) this.#join(settings.group, settings.link.index);
    this.#watch = watchReadable(descriptor.fd, () => this.drain());
  }

  /** `struct ip_mreqn`: group, local address (any), interface. */
  #join(group: IpAddress | undefined, linkIndex: number): void {
    const { bytes, view, parts } = this.#descriptor;
    bytes.fill(0, parts.option, parts.option + 12);
    view.setInt32(parts.option + 8, linkIndex, true);
    this.#descriptor.setOption(IPPROTO_IP, IP_MULTICAST_IF, 12, "IP_MULTICAST_IF");
    if (group === undefined) return;
    bytes.set(group, parts.option);
    this.#descriptor.setOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, 12, "IP_ADD_MEMBERSHIP");
  }

  send(packet: Bytes, destination: IpAddress): number {
    const { bytes, view, parts } = this.#descriptor;
    bytes.fill(0, parts.address, parts.address + 16);
    view.setUint16(parts.address, AF_INET, true);
    bytes.set(destination, parts.address + 4);
    return this.#descriptor.send(packet, 16);
  }

  setReceiveBuffer(sizeBytes: number): void {
    this.#descriptor.setReceiveBuffer(sizeBytes);
  }

  drain(): void {
    const { bytes, fd, parts } = this.#descriptor;
    const { receive, packetBytes } = parts;
    for (let i = 0; i < DRAIN_PACKETS && this.#isOpen; i++) {
      const received = Number(recv(fd, this.#descriptor.at(receive), packetBytes, MSG_DONTWAIT));
      if (received < 0) return;
      this.#onPacket(bytes.slice(receive, receive + received), undefined, i > 0);
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#watch.close();
    this.#descriptor.close();
  }
}

class RawSocket6 implements AdvertSocket {
  readonly #descriptor: RawDescriptor;
  readonly #watch: FdWatch;
  readonly #onPacket: OnAdvertPacket;
  readonly #linkIndex: number;
  #isOpen = true;

  constructor(parts: PacketMemory, settings: AdvertSocketSettings, onPacket: OnAdvertPacket) {
    this.#onPacket = onPacket;
    this.#linkIndex = settings.link?.index ?? 0;
    const descriptor = new RawDescriptor(parts, AF_INET6, VRRP_PROTOCOL);
    this.#descriptor = descriptor;
    descriptor.configure(settings);
    const set = (name: number, value: number, what: string) => descriptor.setInt(IPPROTO_IPV6, name, value, what);
    set(IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
    set(IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
    set(IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP");
    set(IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL");
    set(IPV6_TCLASS, TRAFFIC_CLASS_CONTROL, "IPV6_TCLASS");
    set(IPV6_MULTICAST_HOPS, settings.hopLimit ?? 255, "IPV6_MULTICAST_HOPS");
    if (settings.hopLimit !== undefined) set(IPV6_UNICAST_HOPS, settings.hopLimit, "IPV6_UNICAST_HOPS");
    if (settings.link !== undefined) set(IPV6_MULTICAST_IF, settings.link.index, "IPV6_MULTICAST_IF");
    if (settings.group !== undefined) {
      descriptor.bytes.set(settings.group, parts.option);
      descriptor.view.setInt32(parts.option + 16, this.#linkIndex, true);
      descriptor.setOption(IPPROTO_IPV6, IPV6_JOIN_GROUP, 20, "IPV6_JOIN_GROUP");
    }
    this.#putAddress(settings.source);
    if (bind(descriptor.fd, descriptor.at(parts.address), 28) < 0) descriptor.fail("bind", "raw IPv6");
    this.#watch = watchReadable(descriptor.fd, () => this.drain());
  }

  /** `struct sockaddr_in6`; link-local and multicast addresses need the interface. */
  #putAddress(address: IpAddress): void {
    const { bytes, view, parts } = this.#descriptor;
    bytes.fill(0, parts.address, parts.address + 28);
    view.setUint16(parts.address, AF_INET6, true);
    bytes.set(address, parts.address + 8);
    const isLocal = address[0] === 0xff || (address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80);
    if (isLocal) view.setUint32(parts.address + 24, this.#linkIndex, true);
  }

  send(packet: Bytes, destination: IpAddress): number {
    this.#putAddress(destination);
    return this.#descriptor.send(packet, 28);
  }

  setReceiveBuffer(sizeBytes: number): void {
    this.#descriptor.setReceiveBuffer(sizeBytes);
  }

  drain(): void {
    for (let i = 0; i < DRAIN_PACKETS && this.#isOpen; i++) {
      const message = this.#descriptor.takeMessage(28);
      if (message === undefined) return;
      const delivery = this.#delivery(message.control);
      if (delivery !== undefined) this.#onPacket(message.bytes, delivery, i > 0);
    }
  }

  /** Source from the name, destination and hop limit from the control messages. */
  #delivery(control: readonly ControlMessage[]): Ipv6Delivery | undefined {
    const { bytes, view, parts } = this.#descriptor;
    const source = bytes.slice(parts.address + 8, parts.address + 24);
    let destination: IpAddress | undefined;
    let hopLimit: number | undefined;
    for (const { level, type, at } of control) {
      if (level !== IPPROTO_IPV6) continue;
      if (type === IPV6_PKTINFO) destination = bytes.slice(at, at + 16);
      if (type === IPV6_HOPLIMIT) hopLimit = view.getInt32(at, true);
    }
    return destination === undefined || hopLimit === undefined ? undefined : { source, destination, hopLimit };
  }

  close(): void {
    this.#isOpen = false;
    this.#watch.close();
    this.#descriptor.close();
  }
}

class PacketSocket implements FrameSocket {
  readonly #descriptor: RawDescriptor;
  readonly #linkIndex: number;

  constructor(parts: PacketMemory, linkIndex: number) {
    this.#linkIndex = linkIndex;
    this.#descriptor = new RawDescriptor(parts, AF_PACKET, 0); // protocol 0: it only sends
  }

  /** `struct sockaddr_ll`: family, protocol, interface; the frame brings its own addresses. */
  send(frame: Bytes): number {
    const { bytes, view, parts } = this.#descriptor;
    const { address } = parts;
    bytes.fill(0, address, address + 20);
    view.setUint16(address, AF_PACKET, true);
    bytes.set(frame.subarray(12, 14), address + 2);
    view.setInt32(address + 4, this.#linkIndex, true);
    view.setUint8(address + 11, 6);
    bytes.set(frame.subarray(0, 6), address + 12);
    return this.#descriptor.send(frame, 20);
  }

  close(): void {
    this.#descriptor.close();
  }
}
