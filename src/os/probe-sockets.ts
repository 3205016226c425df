/**
 * Sockets of health checks: a TCP connection that becomes a descriptor once it is there, UDP and ICMP echo, all bound as the check
 * asks. Watched through libuv: for some checks a second, not for traffic. keepalived: layer4.c, check_ping.c.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Memory } from "../io/memory.ts";
import type { Endpoint } from "../io/stream.ts";
import { EACCES, EAGAIN, EINTR, EPERM } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable, watchWritable } from "./ffi/native.ts";
import {
  AF_INET,
  connect,
  IP_RECVERR,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVERR,
  MSG_NOSIGNAL,
  recv,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  send,
  socket,
} from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";
import { applyPath, bindTo, type OutgoingFailure, type OutgoingHost, openOutgoing } from "./reactor/outgoing.ts";
import { encodeEndpoint, familyOf } from "./sockaddr.ts";
import { SocketOptions } from "./socket-options.ts";

export interface ProbeSocketSettings {
  readonly remote: { readonly ip: IpAddress; readonly port: number };
  /** Own end; the address may be left to the system. */
  readonly local: { readonly ip: IpAddress | undefined; readonly port: number } | undefined;
  readonly mark: number;
  readonly device: string | undefined;
}

/** What a datagram socket tells; nothing inside the call that opens it. */
export interface ProbeDatagramOwner {
  /** Lent for the length of the call. */
  onDatagram(bytes: Bytes): void;
  onError(errno: number): void;
}

export interface ProbeDatagrams {
  /** A raw socket, which gives the IP header of IPv4 as well. */
  readonly isRaw: boolean;
  /** 0 or -errno. */
  send(bytes: Bytes): number;
  close(): void;
}

const DATAGRAM_BYTES = 65_536;
/** One wake-up reads so many datagrams at most. */
const READS_PER_WAKE = 16;

/** Opens the sockets of all checks of a process: they share the memory that addresses and datagrams pass through. */
export class ProbeSockets {
  readonly #datagram: Memory = allocateMemory(DATAGRAM_BYTES);
  readonly #host: OutgoingHost = {
    addressMemory: allocateMemory(1),
    socketOptions: new SocketOptions(allocateMemory(1)),
  };

  /** Tells the connected descriptor, which is then the caller's, or what has failed; never inside this call. */
  connect(settings: ProbeSocketSettings, done: (result: number | OutgoingFailure) => void): { close(): void } {
    const { mark, device } = settings;
    const path = { mark, ...(device === undefined ? {} : { device }) };
    const plain = { receiveBuffer: 0, sendBuffer: 0, keepAlive: false, transparent: false, ...path };
    const fd = openOutgoing(this.#host, settings.remote, localEnd(settings), plain);
    if (typeof fd === "number") return new Connecting(fd, this.#host.socketOptions, done);
    const later = setImmediate(() => done(fd));
    return { close: () => clearImmediate(later) };
  }

  /** A UDP socket, or one for ICMP echo, that hears its peer alone. */
  datagrams(
    kind: "udp" | "echo",
    settings: ProbeSocketSettings,
    owner: ProbeDatagramOwner,
  ): ProbeDatagrams | OutgoingFailure {
    const family = familyOf(settings.remote);
    const protocol = kind === "udp" ? 0 : family === AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    let isRaw = false;
    let fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    // Not every group may ping (net.ipv4.ping_group_range); root may in any case.
    if (fd < 0 && kind === "echo" && (errno() === EACCES || errno() === EPERM)) {
      isRaw = true;
      fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    }
    if (fd < 0) return { call: "socket()", errno: errno() };
    const failure = this.#prepare(fd, family, settings);
    if (failure === undefined) return new KernelProbeDatagrams(fd, isRaw, this.#datagram, owner);
    close(fd);
    return failure;
  }

  #prepare(fd: number, family: number, settings: ProbeSocketSettings): OutgoingFailure | undefined {
    const { socketOptions, addressMemory } = this.#host;
    // Refusals of routers on the way are heard, too.
    if (family === AF_INET) socketOptions.setInt(fd, IPPROTO_IP, IP_RECVERR, 1);
    else socketOptions.setInt(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    const { mark, device } = settings;
    const refused =
      applyPath(socketOptions, fd, { mark, ...(device === undefined ? {} : { device }) }) ??
      bindTo(this.#host, fd, family, localEnd(settings));
    if (refused !== undefined) return refused;
    const length = encodeEndpoint(addressMemory.bytes, 8, settings.remote);
    return connect(fd, addressMemory.address + 8, length) < 0 ? { call: "", errno: errno() } : undefined;
  }
}

function localEnd({ local, remote }: ProbeSocketSettings): Endpoint | undefined {
  return local && { ip: local.ip ?? new Uint8Array(remote.ip.length), port: local.port };
}

/** libuv lets go of a descriptor at the end of its turn only: it must not be closed, nor watched anew, before. */
function afterTurn(task: () => void): void {
  setImmediate(task);
}

class Connecting {
  readonly #fd: number;
  readonly #watch: FdWatch;
  #isOver = false;

  constructor(fd: number, options: SocketOptions, done: (result: number | OutgoingFailure) => void) {
    this.#fd = fd;
    this.#watch = watchWritable(fd, () => {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#watch.close();
      const error = options.takeError(fd);
      afterTurn(() => {
        if (error !== 0) close(fd);
        done(error === 0 ? fd : { call: "", errno: error });
      });
    });
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watch.close();
    afterTurn(() => close(this.#fd));
  }
}

class KernelProbeDatagrams implements ProbeDatagrams {
  readonly isRaw: boolean;
  readonly #fd: number;
  readonly #memory: Memory;
  readonly #owner: ProbeDatagramOwner;
  readonly #watch: FdWatch;
  #isClosed = false;

  constructor(fd: number, isRaw: boolean, memory: Memory, owner: ProbeDatagramOwner) {
    this.isRaw = isRaw;
    this.#fd = fd;
    this.#memory = memory;
    this.#owner = owner;
    this.#watch = watchReadable(fd, () => this.#read());
  }

  send(bytes: Bytes): number {
    this.#memory.bytes.set(bytes);
    return send(this.#fd, this.#memory.address, bytes.length, MSG_NOSIGNAL) < 0 ? -errno() : 0;
  }

  #read(): void {
    for (let reads = 0; reads < READS_PER_WAKE && !this.#isClosed; reads++) {
      const size = recv(this.#fd, this.#memory.address, DATAGRAM_BYTES, 0);
      if (size >= 0) {
        this.#owner.onDatagram(this.#memory.bytes.slice(0, size));
        continue;
      }
      const error = errno();
      if (error === EINTR) continue;
      if (error !== EAGAIN) this.#owner.onError(error);
      return;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch.close();
    afterTurn(() => close(this.#fd));
  }
}
