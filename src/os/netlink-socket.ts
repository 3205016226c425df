/** Requests to the kernel over a netlink socket: send, wait for the acknowledgement or for the end of the dump. */
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import { assert } from "../base/assert.ts";
import { type Bytes, concatBytes } from "../base/bytes.ts";
import type { RoutingFailure } from "../io/routing.ts";
import { decodeAck } from "../wire/netlink/error.ts";
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../wire/netlink/message.ts";
import {
  netlinkClose,
  netlinkOpen,
  netlinkReceive,
  netlinkReceiveTimeout,
  netlinkSend,
  netlinkSendBuffer,
} from "./ffi/netlink.ts";

/** The kernel sends dumps in pieces of at most 32 KiB, and no single message of rtnetlink comes near this. */
export const DATAGRAM_BYTES = 65536;
/** The kernel answers within the send call, so a second of silence means that it never will. */
const ANSWER_TIMEOUT_S = 2;
/** How often a dump is repeated when the kernel's list changes under it. */
const DUMP_ATTEMPTS = 20;
/** A datagram of this size can be sent with the system's own limits. */
const USUAL_SEND_BYTES = 128 << 10;
/** A bigger batch is refused with EMSGSIZE. */
export const MAX_BATCH_BYTES = 32 << 20;
/** The netlink protocol of links, addresses, routes and neighbours. */
export const NETLINK_ROUTE = 0;
const { EINTR, EMSGSIZE, ENODATA } = constants.errno;

/** A socket failed where the kernel should have worked. `errno` is positive. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly errno: number;
  constructor(what: string, errno: number) {
    super(`${what}: ${errnoName(errno)}`);
    this.errno = errno;
  }
}

/** `ENODEV` for 19. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}

/** The kernel's answer to a change: errno 0 for success, and its reason in words where it gives one. */
export interface Acknowledgement {
  readonly errno: number;
  readonly reason: string | undefined;
}

/** A failure of the routing port from an acknowledgement; undefined when that is a success. `what` names the request. */
export function failureOf(what: string, ack: Acknowledgement): RoutingFailure | undefined {
  if (ack.errno === 0) return undefined;
  const reason = ack.reason === undefined ? "" : ` (${ack.reason})`;
  return { errno: ack.errno, message: `${what}: ${errnoName(ack.errno)}${reason}` };
}

function padded(message: Bytes): readonly Bytes[] {
  return message.length % 4 === 0 ? [message] : [message, new Uint8Array(4 - (message.length % 4))];
}

/** One blocking socket for requests. The kernel answers at once, so nothing here waits for the network. */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(DATAGRAM_BYTES);
  #sequence = 0;
  /** What the socket can send at once. */
  #sendBytes = USUAL_SEND_BYTES;

  /** Throws `NetlinkError` when the system gives no socket. `protocol` 0 is NETLINK_ROUTE. */
  constructor(protocol: number) {
    this.#fd = netlinkOpen(protocol, 0, false);
    if (this.#fd < 0) throw new NetlinkError("netlink socket", -this.#fd);
    netlinkReceiveTimeout(this.#fd, ANSWER_TIMEOUT_S);
  }

  close(): void {
    netlinkClose(this.#fd);
  }

  /** Asks for a change and returns the kernel's acknowledgement. */
  change(type: number, flags: number, body: Bytes): Acknowledgement {
    const sequence = this.#send(type, flags | NLM_F_ACK, body);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence || message.type !== NLMSG_ERROR) continue;
        const ack = decodeAck(message.body, message.flags);
        if (!ack.ok) throw new Error(`netlink: ${ack.reason}`);
        return ack.value;
      }
    }
  }

  /**
   * Sends several requests in one datagram and returns the first refusal, or success when all that ask for an acknowledgement have one.
   * A refusal of the whole bears the number of its first message. Acknowledgements wait in the socket meanwhile, which has room for
   * some hundreds.
   */
  batch(messages: readonly { readonly type: number; readonly flags: number; readonly body: Bytes }[]): Acknowledgement {
    const first = this.#sequence + 1;
    const expected = new Set<number>();
    const parts = messages.map((message, i) => {
      if ((message.flags & NLM_F_ACK) !== 0) expected.add(first + i);
      return encodeMessage({ ...message, sequence: first + i });
    });
    this.#sequence += messages.length;
    const sent = this.#sendBatch(concatBytes(parts.flatMap(padded)));
    if (sent < 0) throw new NetlinkError("netlink send", -sent);
    let refusal: Acknowledgement | undefined;
    while (expected.size > 0)
      for (const { type, flags, sequence, body } of this.#receive()) {
        if (type !== NLMSG_ERROR || sequence < first) continue;
        const ack = decodeAck(body, flags);
        if (!ack.ok) throw new Error(`netlink: ${ack.reason}`);
        if (ack.value.errno !== 0) refusal ??= ack.value;
        if (!expected.delete(sequence) && ack.value.errno !== 0) return ack.value;
      }
    return refusal ?? { errno: 0, reason: undefined };
  }

  /**
   * Asks for a list and counts its messages of type `answer`; stops at `atMost`, behind which this socket is of no more use. `see` is
   * lent the body of each.
   */
  count(type: number, answer: number, body: Bytes, atMost: number, see?: (body: Bytes) => void): number {
    const sequence = this.#send(type, NLM_F_DUMP, body);
    let found = 0;
    while (found < atMost)
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_DONE) return found;
        if (message.type === NLMSG_ERROR) {
          const ack = decodeAck(message.body, message.flags);
          throw new NetlinkError("netlink dump", ack.ok ? ack.value.errno : ENODATA);
        }
        if (message.type !== answer) continue;
        found++;
        see?.(message.body);
      }
    return found;
  }

  /** Asks for a list and returns the bodies of the messages of type `answer`. Repeats while the list changes under it. */
  dump(type: number, answer: number, body: Bytes): readonly Bytes[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const bodies = this.#dumpOnce(type, answer, body);
      if (bodies !== undefined) return bodies;
    }
    throw new NetlinkError("netlink dump keeps changing", EINTR);
  }

  /** undefined when the list has changed meanwhile. */
  #dumpOnce(type: number, answer: number, body: Bytes): readonly Bytes[] | undefined {
    const sequence = this.#send(type, NLM_F_DUMP, body);
    const bodies: Bytes[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_DONE) return interrupted ? undefined : bodies;
        if (message.type === NLMSG_ERROR) {
          const ack = decodeAck(message.body, message.flags);
          throw new NetlinkError("netlink dump", ack.ok ? ack.value.errno : ENODATA);
        }
        if (message.type === answer) bodies.push(message.body.slice());
      }
    }
  }

  #send(type: number, flags: number, body: Bytes): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const sent = netlinkSend(this.#fd, encodeMessage({ type, flags: flags | NLM_F_REQUEST, sequence, body }));
    if (sent < 0) throw new NetlinkError("netlink send", -sent);
    return sequence;
  }

  #sendBatch(bytes: Bytes): number {
    if (bytes.length > MAX_BATCH_BYTES) return -EMSGSIZE;
    if (bytes.length > this.#sendBytes) {
      this.#sendBytes = bytes.length;
      // Twice, because the kernel counts its own memory around the bytes, too.
      netlinkSendBuffer(this.#fd, bytes.length * 2);
    }
    return netlinkSend(this.#fd, bytes);
  }

  /** One datagram; its messages are views of a buffer that the next call overwrites. */
  #receive(): readonly NetlinkMessage[] {
    let received = netlinkReceive(this.#fd, this.#buffer);
    while (received === -EINTR) received = netlinkReceive(this.#fd, this.#buffer);
    if (received < 0) throw new NetlinkError("netlink receive", -received);
    assert(received <= DATAGRAM_BYTES, "a netlink datagram fits the buffer");
    const messages = decodeMessages(this.#buffer.subarray(0, received));
    if (!messages.ok) throw new Error(`netlink: ${messages.reason}`);
    return messages.value;
  }
}
