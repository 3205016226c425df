/**
 * VRRP's sockets in the kernel: raw IPv4 and IPv6 sockets of protocol 112, and packet sockets for ARP and neighbour
 * discovery. One buffer serves all of them: every call is synchronous. keepalived's counterpart: vrrp.c, vrrp_arp.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Memory } from "../io/memory.ts";
import type {
  AdvertSocket,
  AdvertSocketSettings,
  FrameSocket,
  Ipv6Delivery,
  OnAdvertPacket,
  Segments,
} from "../io/segment.ts";
import { systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "./ffi/native.ts";
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
  MSGHDR_BYTES,
  recvmsg,
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
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  sendto,
  setsockopt,
  socket,
} from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

const VRRP_PROTOCOL = 112;
/** TC_PRIO_CONTROL: the queueing discipline sends adverts first. */
const PRIORITY_CONTROL = 7;
const TRAFFIC_CLASS_CONTROL = 0xc0;
/** Packets that are taken from a socket before the loop goes on. */
const DRAIN_PACKETS = 256;

/** The largest message: 8 bytes and 255 IPv6 addresses. */
const PACKET_BYTES = 8192;
/** The parts of the shared memory. */
const SEND = 0;
const RECEIVE = SEND + PACKET_BYTES;
const ADDRESS = RECEIVE + PACKET_BYTES;
const OPTION = ADDRESS + 128;
const MESSAGE = OPTION + 128;
const VECTOR = MESSAGE + 64;
const CONTROL = VECTOR + 16;
const CONTROL_BYTES = 256;

/** Opens sockets in the network namespace of this process. */
export class KernelSegments implements Segments {
  readonly #memory: Memory = allocateMemory(CONTROL + CONTROL_BYTES);

  openAdverts(settings: AdvertSocketSettings, onPacket: OnAdvertPacket): AdvertSocket {
    return settings.family === 4
      ? new RawSocket4(this.#memory, settings, onPacket)
      : new RawSocket6(this.#memory, settings, onPacket);
  }

  openFrames(linkIndex: number): FrameSocket {
    return new PacketSocket(this.#memory, linkIndex);
  }
}

/** What sockets of all three kinds do with the shared memory. */
class Descriptor {
  readonly memory: Memory;
  readonly view: DataView;
  readonly fd: number;

  constructor(memory: Memory, domain: number, protocol: number) {
    this.memory = memory;
    this.view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
    this.fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (this.fd < 0) throw systemError("socket", errno(), "raw");
  }

  /** Sets an option from the first bytes of the option area. Throws when the kernel refuses. */
  setOption(level: number, name: number, sizeBytes: number, what: string): void {
    if (setsockopt(this.fd, level, name, this.memory.address + OPTION, sizeBytes) < 0) this.fail("setsockopt", what);
  }

  setInt(level: number, name: number, value: number, what: string): void {
    this.view.setInt32(OPTION, value, true);
    this.setOption(level, name, 4, what);
  }

  /** Closes the descriptor and throws. */
  fail(call: string, what: string): never {
    const failure = errno();
    close(this.fd);
    throw systemError(call, failure, what);
  }

  /** The common part of advert sockets. */
  configure(settings: AdvertSocketSettings): void {
    const { link, receiveBufferBytes } = settings;
    this.setInt(SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL, "SO_PRIORITY");
    if (receiveBufferBytes !== undefined) this.setReceiveBuffer(receiveBufferBytes);
    if (link === undefined) return;
    const name = Buffer.from(`${link.name}\0`, "latin1");
    this.memory.bytes.set(name, OPTION);
    this.setOption(SOL_SOCKET, SO_BINDTODEVICE, name.length, `SO_BINDTODEVICE ${link.name}`);
  }

  /** Beyond what an administrator allows to others, if we may. */
  setReceiveBuffer(sizeBytes: number): void {
    this.view.setInt32(OPTION, sizeBytes, true);
    const option = this.memory.address + OPTION;
    if (setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, option, 4) < 0)
      setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, option, 4);
  }

  /** Sends bytes to the address that is in the address area; 0 or -errno. */
  send(bytes: Bytes, addressBytes: number): number {
    if (bytes.length > PACKET_BYTES) return -90; // EMSGSIZE
    this.memory.bytes.set(bytes, SEND);
    const { address } = this.memory;
    const sent = sendto(this.fd, address + SEND, bytes.length, MSG_DONTWAIT, address + ADDRESS, addressBytes);
    return sent < 0 ? -errno() : 0;
  }
}

class RawSocket4 implements AdvertSocket {
  readonly #descriptor: Descriptor;
  readonly #watch: FdWatch;
  readonly #onPacket: OnAdvertPacket;
  #isOpen = true;

  constructor(memory: Memory, settings: AdvertSocketSettings, onPacket: OnAdvertPacket) {
    this.#onPacket = onPacket;
    const descriptor = new Descriptor(memory, AF_INET, settings.protocol ?? VRRP_PROTOCOL);
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
    const { memory, view } = this.#descriptor;
    memory.bytes.fill(0, OPTION, OPTION + 12);
    view.setInt32(OPTION + 8, linkIndex, true);
    this.#descriptor.setOption(IPPROTO_IP, IP_MULTICAST_IF, 12, "IP_MULTICAST_IF");
    if (group === undefined) return;
    memory.bytes.set(group, OPTION);
    this.#descriptor.setOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, 12, "IP_ADD_MEMBERSHIP");
  }

  send(packet: Bytes, destination: IpAddress): number {
    const { memory, view } = this.#descriptor;
    memory.bytes.fill(0, ADDRESS, ADDRESS + 16);
    view.setUint16(ADDRESS, AF_INET, true);
    memory.bytes.set(destination, ADDRESS + 4);
    return this.#descriptor.send(packet, 16);
  }

  setReceiveBuffer(sizeBytes: number): void {
    this.#descriptor.setReceiveBuffer(sizeBytes);
  }

  drain(): void {
    const { memory, fd } = this.#descriptor;
    for (let i = 0; i < DRAIN_PACKETS && this.#isOpen; i++) {
      const received = Number(recv(fd, memory.address + RECEIVE, PACKET_BYTES, MSG_DONTWAIT));
      if (received < 0) return;
      this.#onPacket(memory.bytes.slice(RECEIVE, RECEIVE + received), undefined);
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#watch.close();
    close(this.#descriptor.fd);
  }
}

class RawSocket6 implements AdvertSocket {
  readonly #descriptor: Descriptor;
  readonly #watch: FdWatch;
  readonly #onPacket: OnAdvertPacket;
  readonly #linkIndex: number;
  #isOpen = true;

  constructor(memory: Memory, settings: AdvertSocketSettings, onPacket: OnAdvertPacket) {
    this.#onPacket = onPacket;
    this.#linkIndex = settings.link?.index ?? 0;
    const descriptor = new Descriptor(memory, AF_INET6, VRRP_PROTOCOL);
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
      memory.bytes.set(settings.group, OPTION);
      descriptor.view.setInt32(OPTION + 16, this.#linkIndex, true);
      descriptor.setOption(IPPROTO_IPV6, IPV6_JOIN_GROUP, 20, "IPV6_JOIN_GROUP");
    }
    this.#putAddress(settings.source);
    if (bind(descriptor.fd, memory.address + ADDRESS, 28) < 0) descriptor.fail("bind", "raw IPv6");
    this.#watch = watchReadable(descriptor.fd, () => this.drain());
  }

  /** `struct sockaddr_in6`; link-local and multicast addresses need the interface. */
  #putAddress(address: IpAddress): void {
    const { memory, view } = this.#descriptor;
    memory.bytes.fill(0, ADDRESS, ADDRESS + 28);
    view.setUint16(ADDRESS, AF_INET6, true);
    memory.bytes.set(address, ADDRESS + 8);
    const isLocal = address[0] === 0xff || (address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80);
    if (isLocal) view.setUint32(ADDRESS + 24, this.#linkIndex, true);
  }

  send(packet: Bytes, destination: IpAddress): number {
    this.#putAddress(destination);
    return this.#descriptor.send(packet, 28);
  }

  setReceiveBuffer(sizeBytes: number): void {
    this.#descriptor.setReceiveBuffer(sizeBytes);
  }

  drain(): void {
    const { memory, view, fd } = this.#descriptor;
    for (let i = 0; i < DRAIN_PACKETS && this.#isOpen; i++) {
      const at = BigInt(memory.address);
      memory.bytes.fill(0, MESSAGE, MESSAGE + MSGHDR_BYTES);
      view.setBigUint64(MESSAGE, at + BigInt(ADDRESS), true);
      view.setUint32(MESSAGE + 8, 28, true);
      view.setBigUint64(MESSAGE + 16, at + BigInt(VECTOR), true);
      view.setBigUint64(MESSAGE + 24, 1n, true);
      view.setBigUint64(MESSAGE + 32, at + BigInt(CONTROL), true);
      view.setBigUint64(MESSAGE + 40, BigInt(CONTROL_BYTES), true);
      view.setBigUint64(VECTOR, at + BigInt(RECEIVE), true);
      view.setBigUint64(VECTOR + 8, BigInt(PACKET_BYTES), true);
      const received = Number(recvmsg(fd, memory.address + MESSAGE, MSG_DONTWAIT));
      if (received < 0) return;
      const delivery = this.#delivery(Number(view.getBigUint64(MESSAGE + 40, true)));
      if (delivery !== undefined) this.#onPacket(memory.bytes.slice(RECEIVE, RECEIVE + received), delivery);
    }
  }

  /** Source from the name, destination and hop limit from the control messages (`struct cmsghdr`: length, level, type). */
  #delivery(controlBytes: number): Ipv6Delivery | undefined {
    const { memory, view } = this.#descriptor;
    const source = memory.bytes.slice(ADDRESS + 8, ADDRESS + 24);
    let destination: IpAddress | undefined;
    let hopLimit: number | undefined;
    for (let at = CONTROL; at + 16 <= CONTROL + controlBytes; ) {
      const length = Number(view.getBigUint64(at, true));
      if (length < 16) break;
      const type = view.getInt32(at + 12, true);
      if (view.getInt32(at + 8, true) === IPPROTO_IPV6) {
        if (type === IPV6_PKTINFO) destination = memory.bytes.slice(at + 16, at + 32);
        if (type === IPV6_HOPLIMIT) hopLimit = view.getInt32(at + 16, true);
      }
      at += Math.ceil(length / 8) * 8;
    }
    return destination === undefined || hopLimit === undefined ? undefined : { source, destination, hopLimit };
  }

  close(): void {
    this.#isOpen = false;
    this.#watch.close();
    close(this.#descriptor.fd);
  }
}

class PacketSocket implements FrameSocket {
  readonly #descriptor: Descriptor;
  readonly #linkIndex: number;

  constructor(memory: Memory, linkIndex: number) {
    this.#linkIndex = linkIndex;
    this.#descriptor = new Descriptor(memory, AF_PACKET, 0); // protocol 0: it only sends
  }

  /** `struct sockaddr_ll`: family, protocol, interface; the frame brings its own addresses. */
  send(frame: Bytes): number {
    const { memory, view } = this.#descriptor;
    memory.bytes.fill(0, ADDRESS, ADDRESS + 20);
    view.setUint16(ADDRESS, AF_PACKET, true);
    memory.bytes.set(frame.subarray(12, 14), ADDRESS + 2);
    view.setInt32(ADDRESS + 4, this.#linkIndex, true);
    view.setUint8(ADDRESS + 11, 6);
    memory.bytes.set(frame.subarray(0, 6), ADDRESS + 12);
    return this.#descriptor.send(frame, 20);
  }

  close(): void {
    close(this.#descriptor.fd);
  }
}
