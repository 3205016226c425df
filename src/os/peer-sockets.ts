/**
 * Sockets of the peer channel: UDP (udp(7)), one for each link and family, bound to the link. Packets go out with hop limit 255,
 * so that a receiver can tell that no router has passed them on (RFC 5082).
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Memory } from "../io/memory.ts";
import type { OnPeerDatagram, PeerSocket, PeerSocketSettings, PeerSockets } from "../io/peer-socket.ts";
import { EMSGSIZE, systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "./ffi/native.ts";
import {
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_RECVTTL,
  IP_TTL,
  IPV6_HOPLIMIT,
  IPV6_JOIN_GROUP,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVHOPLIMIT,
  IPV6_UNICAST_HOPS,
  MSGHDR_BYTES,
  recvmsg,
  SO_BINDTODEVICE,
} from "./ffi/packets.ts";
import {
  AF_INET,
  AF_INET6,
  bind,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MSG_DONTWAIT,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  sendto,
  setsockopt,
  socket,
} from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

const HOP_LIMIT = 255;
/** Longer datagrams are cut, and then their seal is wrong. */
const DATAGRAM_BYTES = 2048;
/** Taken from a socket before the loop goes on: whoever floods it must not hold adverts up. */
const READS_PER_WAKE = 16;

/** The parts of the shared memory. */
const DATA = 0;
const ADDRESS = DATA + DATAGRAM_BYTES;
const OPTION = ADDRESS + 32;
const MESSAGE = OPTION + 64;
const VECTOR = MESSAGE + 64;
const CONTROL = VECTOR + 16;
const CONTROL_BYTES = 64;
/** `struct cmsghdr` on 64 bits. */
const CMSG_DATA = 16;

/** The sockets of this process's network namespace. */
export class KernelPeerSockets implements PeerSockets {
  readonly #memory: Memory = allocateMemory(CONTROL + CONTROL_BYTES);

  open(settings: PeerSocketSettings, onDatagram: OnPeerDatagram): PeerSocket {
    return new UdpSocket(this.#memory, settings, onDatagram);
  }
}

class UdpSocket implements PeerSocket {
  readonly #memory: Memory;
  readonly #view: DataView;
  readonly #fd: number;
  readonly #watch: FdWatch;
  readonly #settings: PeerSocketSettings;
  readonly #onDatagram: OnPeerDatagram;
  #isOpen = true;

  constructor(memory: Memory, settings: PeerSocketSettings, onDatagram: OnPeerDatagram) {
    this.#memory = memory;
    this.#view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.length);
    this.#settings = settings;
    this.#onDatagram = onDatagram;
    this.#fd = socket(this.#isIpv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw systemError("socket", errno(), "UDP");
    this.#configure();
    if (this.#isIpv4) this.#configure4();
    else this.#configure6();
    // To no address, since a socket bound to one does not hear its group.
    const length = this.#putAddress(new Uint8Array(settings.source.length), settings.port);
    if (bind(this.#fd, memory.address + ADDRESS, length) < 0) this.#fail("bind", `port ${settings.port}`);
    this.#watch = watchReadable(this.#fd, () => this.#read());
  }

  get #isIpv4(): boolean {
    return this.#settings.source.length === 4;
  }

  #configure(): void {
    const { name } = this.#settings.link;
    this.#setInt(SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
    const device = Buffer.from(`${name}\0`, "latin1");
    this.#memory.bytes.set(device, OPTION);
    this.#set(SOL_SOCKET, SO_BINDTODEVICE, device.length, `SO_BINDTODEVICE ${name}`);
  }

  #configure4(): void {
    const { group, source, link } = this.#settings;
    const set = (option: number, value: number, what: string) => this.#setInt(IPPROTO_IP, option, value, what);
    set(IP_TTL, HOP_LIMIT, "IP_TTL");
    set(IP_MULTICAST_TTL, HOP_LIMIT, "IP_MULTICAST_TTL");
    set(IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP");
    set(IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL");
    set(IP_RECVTTL, 1, "IP_RECVTTL");
    this.#putGroup4(new Uint8Array(4), source, link.index);
    this.#set(IPPROTO_IP, IP_MULTICAST_IF, 12, "IP_MULTICAST_IF");
    if (group === undefined) return;
    this.#putGroup4(group, new Uint8Array(4), link.index);
    this.#set(IPPROTO_IP, IP_ADD_MEMBERSHIP, 12, "IP_ADD_MEMBERSHIP");
  }

  /** `struct ip_mreqn`. */
  #putGroup4(group: IpAddress, own: IpAddress, linkIndex: number): void {
    this.#memory.bytes.set(group, OPTION);
    this.#memory.bytes.set(own, OPTION + 4);
    this.#view.setInt32(OPTION + 8, linkIndex, true);
  }

  #configure6(): void {
    const { group, link } = this.#settings;
    const set = (option: number, value: number, what: string) => this.#setInt(IPPROTO_IPV6, option, value, what);
    set(IPV6_V6ONLY, 1, "IPV6_V6ONLY");
    set(IPV6_UNICAST_HOPS, HOP_LIMIT, "IPV6_UNICAST_HOPS");
    set(IPV6_MULTICAST_HOPS, HOP_LIMIT, "IPV6_MULTICAST_HOPS");
    set(IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP");
    set(IPV6_MULTICAST_ALL, 0, "IPV6_MULTICAST_ALL");
    set(IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
    set(IPV6_MULTICAST_IF, link.index, "IPV6_MULTICAST_IF");
    if (group === undefined) return;
    this.#memory.bytes.set(group, OPTION);
    this.#view.setInt32(OPTION + 16, link.index, true);
    this.#set(IPPROTO_IPV6, IPV6_JOIN_GROUP, 20, "IPV6_JOIN_GROUP");
  }

  #setInt(level: number, option: number, value: number, what: string): void {
    this.#view.setInt32(OPTION, value, true);
    this.#set(level, option, 4, what);
  }

  #set(level: number, option: number, sizeBytes: number, what: string): void {
    if (setsockopt(this.#fd, level, option, this.#memory.address + OPTION, sizeBytes) < 0)
      this.#fail("setsockopt", what);
  }

  #fail(call: string, what: string): never {
    const failure = errno();
    close(this.#fd);
    throw systemError(call, failure, what);
  }

  /** `struct sockaddr_in` or `sockaddr_in6`; its length. */
  #putAddress(address: IpAddress, port: number): number {
    const { bytes } = this.#memory;
    bytes.fill(0, ADDRESS, ADDRESS + 32);
    this.#view.setUint16(ADDRESS, address.length === 4 ? AF_INET : AF_INET6, true);
    this.#view.setUint16(ADDRESS + 2, port);
    if (address.length === 4) {
      bytes.set(address, ADDRESS + 4);
      return 16;
    }
    bytes.set(address, ADDRESS + 8);
    const isLocal = address[0] === 0xff || (address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80);
    if (isLocal) this.#view.setUint32(ADDRESS + 24, this.#settings.link.index, true);
    return 28;
  }

  send(bytes: Bytes, destination: IpAddress): number {
    if (bytes.length > DATAGRAM_BYTES) return -EMSGSIZE;
    const length = this.#putAddress(destination, this.#settings.port);
    this.#memory.bytes.set(bytes, DATA);
    const { address } = this.#memory;
    const sent = sendto(this.#fd, address + DATA, bytes.length, MSG_DONTWAIT, address + ADDRESS, length);
    return sent < 0 ? -errno() : 0;
  }

  #read(): void {
    for (let i = 0; i < READS_PER_WAKE && this.#isOpen; i++) {
      const length = this.#receive();
      if (length < 0) return;
      const { bytes } = this.#memory;
      const at = this.#isIpv4 ? ADDRESS + 4 : ADDRESS + 8;
      const source = bytes.slice(at, at + this.#settings.source.length);
      const isOurPort = this.#view.getUint16(ADDRESS + 2) === this.#settings.port;
      if (isOurPort) this.#onDatagram(bytes.slice(DATA, DATA + length), source, this.#hopLimit() === HOP_LIMIT);
    }
  }

  /** One datagram with its source and its hop limit; its length, or a negative number. */
  #receive(): number {
    const { address } = this.#memory;
    const view = this.#view;
    view.setBigUint64(VECTOR, BigInt(address + DATA), true);
    view.setBigUint64(VECTOR + 8, BigInt(DATAGRAM_BYTES), true);
    view.setBigUint64(MESSAGE, BigInt(address + ADDRESS), true);
    view.setUint32(MESSAGE + 8, 32, true);
    view.setBigUint64(MESSAGE + 16, BigInt(address + VECTOR), true);
    view.setBigUint64(MESSAGE + 24, 1n, true);
    view.setBigUint64(MESSAGE + 32, BigInt(address + CONTROL), true);
    view.setBigUint64(MESSAGE + 40, BigInt(CONTROL_BYTES), true);
    view.setUint32(MESSAGE + MSGHDR_BYTES - 8, 0, true);
    return Number(recvmsg(this.#fd, address + MESSAGE, MSG_DONTWAIT));
  }

  /** From the only control message that was asked for; undefined when it is not there. */
  #hopLimit(): number | undefined {
    const view = this.#view;
    if (Number(view.getBigUint64(MESSAGE + 40, true)) < CMSG_DATA + 4) return undefined;
    const kind = view.getInt32(CONTROL + 12, true);
    const isHopLimit = kind === (this.#isIpv4 ? IP_TTL : IPV6_HOPLIMIT);
    return isHopLimit ? view.getInt32(CONTROL + CMSG_DATA, true) : undefined;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    close(this.#fd);
  }
}
