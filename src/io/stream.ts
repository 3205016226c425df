/**
 * A connected stream socket, the same for readiness (epoll) and for completion (io_uring): data is handed to the owner
 * as it arrives, in memory that is lent for the length of the call; what is written is taken as far as it fits.
 * Counterpart in nginx: ngx_connection_t with its recv, send and sendfile_chain functions.
 */
import type { Bytes } from "../base/bytes.ts";
import type { IpAddress } from "../base/ip.ts";
import type { Memory, MemoryPiece } from "./memory.ts";

/** An end of a connection: an address and port, or the path of a unix socket ("" for an unnamed one). */
export type Endpoint = { readonly ip: IpAddress; readonly port: number } | { readonly path: string };

/** What the kernel knows of a TCP connection (TCP_INFO). */
export interface TcpInfo {
  readonly rttUs: number;
  readonly rttVarianceUs: number;
  /** Segments. */
  readonly congestionWindow: number;
  readonly receiveSpaceBytes: number;
}

/** Memory that `onData` has lent and that stays where it is until it is given back, once. */
export interface KeptMemory {
  readonly memory: Memory;
  release(): void;
}

/** What a stream tells whoever owns it. No function of it may throw, but for want of memory when it has `onNoMemory`. */
export interface StreamOwner {
  /** `memory.bytes[start, end)` has arrived. Lent: copy or `keep` what must outlive this call. */
  onData(memory: Memory, start: number, end: number): void;
  /**
   * The peer has sent everything (FIN). Writing may still be possible. While reading is paused this is told as soon as it
   * is known, ahead of data that still waits; then once more in its place, behind the last byte that `resumeReading` brought.
   */
  onEnd(): void;
  /** There is room again after a write or sendFile that took less than it was offered; or: the connect has succeeded. */
  onWritable(): void;
  /** The stream has failed with this errno; nothing else will be told. The owner still has to close it. */
  onError(errno: number): void;
  /** One of the functions above has thrown since the system has no memory (`message`): whatever it was doing ends, and nobody else. */
  onNoMemory?(message: string): void;
}

export interface Stream {
  owner: StreamOwner;
  /** The call on this side (`bind()` …) that has failed before the peer was asked; its errno follows by `onError`. "" otherwise. */
  readonly refusedCall?: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /**
   * True when the peer is known to send nothing more, also while bytes ahead of its end are still to be told. A connection with an end in
   * sight is of no use to a next request. An implementation that learns of the end only in its place says so only then.
   */
  readonly isEnding: boolean;
  /** Within `onData`: keeps its memory, whose bytes these are, beyond the call. Undefined when there is none to spare, or it is kept already. */
  keep(bytes: Bytes): KeptMemory | undefined;
  /** Offers bytes; returns how many were taken (0 … size), or -errno when the stream is dead. */
  write(memory: Memory, offset: number, sizeBytes: number, more: boolean): number;
  /** The same with pieces that follow each other, in one call. */
  writeAll(pieces: readonly MemoryPiece[]): number;
  /** Offers a part of a file; returns how many bytes were taken, or -errno when the stream is dead; -ENODATA (61) when the file ends before `position` (truncated). */
  sendFile(fd: number, position: number, sizeBytes: number): number;
  /** Stops `onData` (the kernel's buffer fills and TCP slows the peer); `onEnd` and `onError` still come. */
  pauseReading(): void;
  /** Continues; data that is waiting is delivered in a later turn, never inside this call. */
  resumeReading(): void;
  /** Sends FIN behind what has been written. */
  shutdownWrite(): void;
  /** TCP_NODELAY, TCP_CORK (nginx's tcp_nopush) and SO_LINGER 0 for a reset at close. No effect on a unix socket. */
  setNoDelay(on: boolean): void;
  setCork(on: boolean): void;
  setResetOnClose(): void;
  /** Undefined for a unix socket. */
  tcpInfo(): TcpInfo | undefined;
  /** Releases the socket; the owner hears nothing more. Safe to call once, also from inside a callback. */
  close(): void;
}
