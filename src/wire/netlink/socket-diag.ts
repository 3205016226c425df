/** Sockets of the kernel by their own address: struct inet_diag_req_v2 with a filter (linux/inet_diag.h, sock_diag(7)). What `ss` asks. */
import { type Bytes, concatBytes } from "../../base/bytes.ts";
import type { IpAddress } from "../../base/ip.ts";
import { AF_INET, AF_INET6 } from "./address.ts";
import { attribute } from "./attributes.ts";
import { HOST_LITTLE_ENDIAN, viewOf } from "./message.ts";

/** The netlink protocol. */
export const NETLINK_SOCK_DIAG = 4;
/** Type of request and answer. */
export const SOCK_DIAG_BY_FAMILY = 20;
/** The kernel forgets a socket (CONFIG_INET_DIAG_DESTROY). */
export const SOCK_DESTROY = 21;

const REQUEST_BYTES = 56;
const IPPROTO_TCP = 6;
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_S_COND = 7;
const CONDITION_BYTES = 8;
const OPERATION_BYTES = 4;
/** States in which something is still to be said: established, FIN_WAIT1, CLOSE_WAIT, LAST_ACK, CLOSING. */
const UNFINISHED = (1 << 1) | (1 << 4) | (1 << 8) | (1 << 9) | (1 << 11);
/** What is asked for: connections with something left to say, those that have said all (TIME_WAIT), or listeners. */
const STATES = { connections: UNFINISHED, ended: 1 << 6, listeners: 1 << 10 } as const;
export type TcpSockets = keyof typeof STATES;
/** struct inet_diag_sockid: ports, addresses, link, cookie. The same in an answer and in a request. */
const ID_IN_ANSWER_AT = 4;
const ID_IN_REQUEST_AT = 8;
const ID_BYTES = 48;

/** A list of TCP sockets of one family whose own address is this one. IPv4 connections of IPv6 sockets are of family 6. */
export function encodeTcpRequest(family: 4 | 6, own: IpAddress, which: TcpSockets): Bytes {
  const request = new Uint8Array(REQUEST_BYTES);
  request[0] = family === 4 ? AF_INET : AF_INET6;
  request[1] = IPPROTO_TCP;
  viewOf(request).setUint32(4, STATES[which], HOST_LITTLE_ENDIAN);
  return concatBytes([request, attribute(INET_DIAG_REQ_BYTECODE, ownAddressIs(own))]);
}

/** The body of SOCK_DESTROY for the TCP socket that an answer of such a list tells of; undefined when the answer is too short. */
export function encodeTcpDestroy(answer: Bytes): Bytes | undefined {
  if (answer.length < ID_IN_ANSWER_AT + ID_BYTES) return undefined;
  const request = new Uint8Array(REQUEST_BYTES);
  request[0] = answer[0] as number;
  request[1] = IPPROTO_TCP;
  request.set(answer.subarray(ID_IN_ANSWER_AT, ID_IN_ANSWER_AT + ID_BYTES), ID_IN_REQUEST_AT);
  return request;
}

/** A program of one operation: on a match it ends behind itself, else it jumps out, which refuses the socket. */
function ownAddressIs(own: IpAddress): Bytes {
  const sizeBytes = OPERATION_BYTES + CONDITION_BYTES + own.length;
  const program = new Uint8Array(sizeBytes);
  const view = viewOf(program);
  program[0] = INET_DIAG_BC_S_COND;
  program[1] = sizeBytes;
  view.setUint16(2, sizeBytes + 4, HOST_LITTLE_ENDIAN);
  program[4] = own.length === 4 ? AF_INET : AF_INET6;
  program[5] = own.length * 8;
  view.setInt32(8, -1, HOST_LITTLE_ENDIAN); // any port
  program.set(own, OPERATION_BYTES + CONDITION_BYTES);
  return program;
}
