/**
 * The writing half of a stream on io_uring: small pieces go with the turn's call (`UringSends`), large ones and files by system
 * calls of their own, as under epoll. Never both at once: while a piece is on its way nothing else is taken, so that order holds.
 */
import type { Memory, MemoryPiece } from "../../io/memory.ts";
import { EAGAIN, EINTR, ENODATA } from "../errno.ts";
import { errno } from "../ffi/native.ts";
import { MSG_MORE, MSG_NOSIGNAL, SHUT_WR, send, sendfile, shutdown } from "../ffi/sockets.ts";
import { type GatheredSend, sizeOf } from "./gathered-send.ts";
import { type Sender, SLOT_BYTES, type UringSends } from "./uring-sends.ts";

/** What the writing half needs of its stream and reactor. */
export interface OutputHost {
  readonly sends: UringSends;
  readonly gathered: GatheredSend;
  /** Eight bytes for sendfile's offset. */
  readonly fileOffset: { readonly address: number; readonly word: BigInt64Array };
  /** Lets the kernel see what was submitted; completions wait for their turn. */
  submitNow(): void;
  /** Closes a descriptor behind everything that was submitted before. */
  closeDescriptor(fd: number): void;
}

/** Who is told what has become of the output. */
export interface OutputOwner {
  /** `onRoom` is to be called when the socket takes bytes again. */
  watchRoom(): void;
  /** What was refused may be offered again; told in a turn of its own. */
  writableLater(): void;
  /** The socket has failed; told in a turn of its own. */
  failLater(error: number): void;
}

export class UringOutput implements Sender {
  readonly fd: number;
  private readonly host: OutputHost;
  private readonly owner: OutputOwner;
  /** The slot of the piece that is on its way; -1: none. */
  private slot = -1;
  private sizeBytes = 0;
  /** Of the piece: what the socket took before it was full. */
  private sentBytes = 0;
  private isBlocked = false;
  /** Somebody was refused. */
  private isAwaited = false;
  private isShutdownWanted = false;
  private isClosing = false;
  /** The socket's buffer was full since the peer has said something: its room is asked for by system calls. */
  isCongested = false;

  constructor(host: OutputHost, fd: number, owner: OutputOwner) {
    this.host = host;
    this.fd = fd;
    this.owner = owner;
  }

  /** As `Stream.write`. */
  write(memory: Memory, offset: number, sizeBytes: number, more: boolean): number {
    if (this.slot >= 0) return this.refuse();
    if (sizeBytes <= SLOT_BYTES && sizeBytes > 0 && !more && !this.isCongested) {
      this.slot = this.host.sends.send(this, memory, offset, sizeBytes);
      if (this.slot >= 0) {
        this.sizeBytes = sizeBytes;
        this.sentBytes = 0;
        return sizeBytes;
      }
    }
    const taken = this.sendNow(memory.address + offset, sizeBytes, more ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL);
    if (taken >= 0 && taken < sizeBytes) this.wait();
    return taken;
  }

  /** As `Stream.writeAll`. */
  writeAll(pieces: readonly MemoryPiece[]): number {
    if (this.slot >= 0) return this.refuse();
    const taken = this.host.gathered.send(this.fd, pieces);
    if (taken >= 0 && taken < sizeOf(pieces)) this.wait();
    return taken;
  }

  /** As `Stream.sendFile`. */
  sendFile(fd: number, position: number, sizeBytes: number): number {
    if (this.slot >= 0) return this.refuse();
    const { address, word } = this.host.fileOffset;
    let taken = 0;
    while (taken < sizeBytes) {
      word[0] = BigInt(position + taken);
      const size = sendfile(this.fd, fd, address, sizeBytes - taken);
      // Less than asked doesn't mean "full" here (sendfile may be interrupted): only EAGAIN does.
      if (size > 0) taken += size;
      else if (size === 0) return taken > 0 ? taken : -ENODATA;
      else {
        const error = errno();
        if (error === EINTR) continue;
        if (error !== EAGAIN) return -error;
        this.wait();
        break;
      }
    }
    return taken;
  }

  private refuse(): number {
    this.isAwaited = true;
    this.awaitPiece();
    return 0;
  }

  /** Nothing goes on here before the piece that is on its way is gone. One that waits for room may take its time. */
  private awaitPiece(): void {
    if (!this.isBlocked) this.host.sends.isAwaited = true;
  }

  private wait(): void {
    this.isCongested = true;
    this.isAwaited = true;
    this.owner.watchRoom();
  }

  /** What the socket takes now, 0 when it is full, -errno when it is dead. */
  private sendNow(address: number, sizeBytes: number, flags: number): number {
    for (;;) {
      const size = send(this.fd, address, sizeBytes, flags);
      if (size >= 0) return size;
      const error = errno();
      if (error === EAGAIN) return 0;
      if (error !== EINTR) return -error;
    }
  }

  onSent(): void {
    this.slot = -1;
    if (this.isClosing) {
      this.host.closeDescriptor(this.fd);
      return;
    }
    if (this.isShutdownWanted) shutdown(this.fd, SHUT_WR);
    if (!this.isAwaited) return;
    this.isAwaited = false;
    this.owner.writableLater();
  }

  onUnsent(result: number): void {
    const isDead = result < 0 && result !== -EAGAIN;
    this.sentBytes = Math.max(0, result);
    if (this.isClosing) this.leave(!isDead);
    else if (isDead) {
      this.drop();
      this.owner.failLater(-result);
    } else {
      this.isBlocked = true;
      this.isCongested = true;
      this.owner.watchRoom();
    }
  }

  /** There is room: the rest of a piece goes first. True when the stream's owner may write. */
  onRoom(): boolean {
    if (this.isBlocked) {
      const { address } = this.host.sends.memory;
      const restBytes = this.sizeBytes - this.sentBytes;
      const taken = this.sendNow(address + this.slot * SLOT_BYTES + this.sentBytes, restBytes, MSG_NOSIGNAL);
      if (taken < 0) {
        this.drop();
        this.owner.failLater(-taken);
        return false;
      }
      this.sentBytes += taken;
      if (taken < restBytes) {
        this.owner.watchRoom();
        return false;
      }
      this.drop();
      if (this.isShutdownWanted) shutdown(this.fd, SHUT_WR);
    }
    if (this.slot >= 0 || !this.isAwaited) return false;
    this.isAwaited = false;
    return true;
  }

  private drop(): void {
    if (this.slot >= 0) this.host.sends.free(this.slot);
    this.slot = -1;
    this.isBlocked = false;
  }

  /** Sends FIN behind what was taken. */
  shutdown(): void {
    if (this.slot < 0) shutdown(this.fd, SHUT_WR);
    else {
      this.isShutdownWanted = true;
      this.awaitPiece();
    }
  }

  /** Closes the descriptor; `keep` says whether what was taken shall still arrive. */
  close(keep: boolean): void {
    if (this.slot >= 0 && !this.isBlocked) {
      // A piece is nearly always gone with the next call: then nothing has to wait for a peer that doesn't read.
      if (keep) {
        this.isClosing = true;
        this.awaitPiece();
        return;
      }
      const { sends } = this.host;
      if (sends.canRevoke(this.slot)) sends.revoke(this.slot);
      else this.host.submitNow();
    }
    this.leave(keep);
  }

  /** Closes the descriptor now; the kernel keeps offering what is left of a piece for a while, if it is to be kept. */
  private leave(keep: boolean): void {
    const { slot } = this;
    if (slot >= 0) {
      this.slot = -1;
      if (keep) this.host.sends.linger(this.fd, slot, this.sentBytes, this.sizeBytes - this.sentBytes);
      else this.host.sends.free(slot);
    }
    this.host.closeDescriptor(this.fd);
  }
}
