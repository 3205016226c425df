/**
 * What raw, packet and UDP sockets have in common: a descriptor, and one piece of memory, shared by all sockets of a kind, in which
 * messages, addresses, options and `struct msghdr` lie. Every call is synchronous.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import { EMSGSIZE, systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno } from "./ffi/native.ts";
import { MSGHDR_BYTES, recvmsg } from "./ffi/packets.ts";
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK, sendto, setsockopt, socket } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

/** TC_PRIO_CONTROL: the queueing discipline sends these packets first. */
export const PRIORITY_CONTROL = 7;
/** Internetwork control (CS6). */
export const TRAFFIC_CLASS_CONTROL = 0xc0;
/** Packets that are taken from a socket before the loop goes on. */
export const DRAIN_PACKETS = 256;

const ADDRESS_BYTES = 128;
const OPTION_BYTES = 128;
const VECTOR_BYTES = 16;
const CONTROL_BYTES = 256;
/** `struct cmsghdr`: length, level, type. */
const CONTROL_HEADER_BYTES = 16;

/** The memory of all sockets of a kind, and where its parts are. What is longer than `packetBytes` is cut, or not sent. */
export class PacketMemory {
  readonly memory: Memory;
  readonly view: DataView;
  readonly packetBytes: number;
  /** What is sent is at 0. */
  readonly receive: number;
  readonly address: number;
  readonly option: number;
  readonly message: number;
  readonly vector: number;
  readonly control: number;

  constructor(packetBytes: number) {
    this.packetBytes = packetBytes;
    this.receive = packetBytes;
    this.address = this.receive + packetBytes;
    this.option = this.address + ADDRESS_BYTES;
    this.message = this.option + OPTION_BYTES;
    this.vector = this.message + MSGHDR_BYTES + 8;
    this.control = this.vector + VECTOR_BYTES;
    this.memory = allocateMemory(this.control + CONTROL_BYTES);
    this.view = new DataView(this.memory.bytes.buffer, this.memory.bytes.byteOffset, this.memory.bytes.length);
  }
}

/** A control message (cmsg(3)): `at` is where its data begin in the memory. */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly at: number;
}

export class PacketDescriptor {
  readonly parts: PacketMemory;
  readonly fd: number;

  /** `what` names the socket in errors. */
  constructor(parts: PacketMemory, domain: number, type: number, protocol: number, what: string) {
    this.parts = parts;
    this.fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (this.fd < 0) throw systemError("socket", errno(), what);
  }

  get bytes(): Uint8Array {
    return this.parts.memory.bytes;
  }

  get view(): DataView {
    return this.parts.view;
  }

  /** The address of a part of the memory. */
  at(offset: number): number {
    return this.parts.memory.address + offset;
  }

  /** Sets an option from the first bytes of the option area. Throws when the kernel refuses. */
  setOption(level: number, name: number, sizeBytes: number, what: string): void {
    if (setsockopt(this.fd, level, name, this.at(this.parts.option), sizeBytes) < 0) this.fail("setsockopt", what);
  }

  setInt(level: number, name: number, value: number, what: string): void {
    this.view.setInt32(this.parts.option, value, true);
    this.setOption(level, name, 4, what);
  }

  /** Closes the descriptor and throws. */
  fail(call: string, what: string, failure = errno()): never {
    close(this.fd);
    throw systemError(call, failure, what);
  }

  /** Sends bytes to the address that is in the address area; 0 or -errno. */
  send(bytes: Bytes, addressBytes: number): number {
    const { packetBytes, address } = this.parts;
    if (bytes.length > packetBytes) return -EMSGSIZE;
    this.bytes.set(bytes, 0);
    const sent = sendto(this.fd, this.at(0), bytes.length, MSG_DONTWAIT, this.at(address), addressBytes);
    return sent < 0 ? -errno() : 0;
  }

  /** Takes one message with its address and control messages; undefined when there is none. */
  takeMessage(
    addressBytes: number,
  ): { readonly bytes: Bytes; readonly control: readonly ControlMessage[] } | undefined {
    const { view, bytes } = this;
    const { message, address, vector, control, receive, packetBytes } = this.parts;
    bytes.fill(0, message, message + MSGHDR_BYTES);
    view.setBigUint64(message, BigInt(this.at(address)), true);
    view.setUint32(message + 8, addressBytes, true);
    view.setBigUint64(message + 16, BigInt(this.at(vector)), true);
    view.setBigUint64(message + 24, 1n, true);
    view.setBigUint64(message + 32, BigInt(this.at(control)), true);
    view.setBigUint64(message + 40, BigInt(CONTROL_BYTES), true);
    view.setBigUint64(vector, BigInt(this.at(receive)), true);
    view.setBigUint64(vector + 8, BigInt(packetBytes), true);
    const received = Number(recvmsg(this.fd, this.at(message), MSG_DONTWAIT));
    if (received < 0) return undefined;
    return { bytes: bytes.slice(receive, receive + received), control: this.#controlMessages() };
  }

  #controlMessages(): ControlMessage[] {
    const { view } = this;
    const { control, message } = this.parts;
    const found: ControlMessage[] = [];
    const end = control + Number(view.getBigUint64(message + 40, true));
    for (let at = control; at + CONTROL_HEADER_BYTES <= end; ) {
      const length = Number(view.getBigUint64(at, true));
      if (length < CONTROL_HEADER_BYTES) break;
      const [level, type] = [view.getInt32(at + 8, true), view.getInt32(at + 12, true)];
      found.push({ level, type, at: at + CONTROL_HEADER_BYTES });
      at += Math.ceil(length / 8) * 8;
    }
    return found;
  }

  close(): void {
    close(this.fd);
  }
}
