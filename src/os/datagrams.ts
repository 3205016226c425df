/**
 * Connected datagram sockets, watched through libuv: for questions that are asked a few times a second (DNS), not for traffic.
 * nginx: ngx_udp_connect, ngx_udp_unix_recv.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Datagram, DatagramOwner, Datagrams } from "../io/datagram.ts";
import type { Memory } from "../io/memory.ts";
import type { Endpoint } from "../io/stream.ts";
import { EAGAIN, EINTR } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, watchReadable } from "./ffi/native.ts";
import { connect, MSG_NOSIGNAL, recv, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, send, socket } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";
import { encodeEndpoint, familyOf } from "./sockaddr.ts";

/** The largest datagram of UDP. */
const DATAGRAM_BYTES = 65536;
/** One wake-up reads so many datagrams of a socket at most; the next one comes at once. */
const READS_PER_WAKE = 64;

/** The datagram sockets of a worker. They keep the process alive until they are closed. */
export class KernelDatagrams implements Datagrams {
  /** Lent to one socket at a time: for its address, for what it sends, for what it has received. */
  private readonly memory: Memory = allocateMemory(DATAGRAM_BYTES);

  connect(remote: Endpoint, owner: DatagramOwner): Datagram | number {
    const fd = socket(familyOf(remote), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno();
    const length = encodeEndpoint(this.memory.bytes, 0, remote);
    if (connect(fd, this.memory.address, length) === 0) return new KernelDatagram(fd, this.memory, owner);
    const error = errno();
    close(fd);
    return -error;
  }
}

class KernelDatagram implements Datagram {
  private readonly fd: number;
  private readonly memory: Memory;
  private readonly owner: DatagramOwner;
  private readonly watch: FdWatch;
  private closed = false;

  constructor(fd: number, memory: Memory, owner: DatagramOwner) {
    this.fd = fd;
    this.memory = memory;
    this.owner = owner;
    this.watch = watchReadable(fd, () => this.read());
  }

  send(bytes: Bytes): number {
    this.memory.bytes.set(bytes);
    return send(this.fd, this.memory.address, bytes.length, MSG_NOSIGNAL) < 0 ? -errno() : 0;
  }

  private read(): void {
    for (let reads = 0; reads < READS_PER_WAKE && !this.closed; reads++) {
      const size = recv(this.fd, this.memory.address, DATAGRAM_BYTES, 0);
      if (size >= 0) {
        this.owner.onDatagram(this.memory.bytes.slice(0, size));
        continue;
      }
      const error = errno();
      if (error === EINTR) continue;
      if (error !== EAGAIN) this.owner.onError(error);
      return;
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.watch.close();
    // libuv lets go of the descriptor at the end of this iteration only.
    setImmediate(() => close(this.fd));
  }
}
