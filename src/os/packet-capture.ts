/** Listens to a link with AF_PACKET (packet(7)) and a filter in the kernel, so that only what is asked for wakes this process. */
import type { Bytes } from "../base/bytes.ts";
import type { Neighbours } from "../io/neighbours.ts";
import { systemError } from "./errno.ts";
import { close } from "./ffi/files.ts";
import { errno, type FdWatch, native, watchReadable } from "./ffi/native.ts";
import { bind, recv, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET, setsockopt, socket } from "./ffi/sockets.ts";
import { allocateMemory } from "./memory.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
/** ETH_P_ALL in network order. */
const ETH_P_ALL_BE = 0x0300;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_PROMISC = 1;
const FRAME_BYTES = 65536;
/** When the frame that was received last came in. */
const SIOCGSTAMPNS = 0x8907;
const ioctl = native<(fd: number, request: number, address: number) => number>(
  "int ioctl(int fd, uint64_t request, uint64_t argument)",
);

const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;
const ACCEPT = 12;
const REJECT = 13;
type Filter = readonly (readonly [opcode: number, k: number, yes?: number, no?: number])[];
/** ARP, VRRP over IPv4 and IPv6, neighbour solicitations and advertisements: opcode, value, index if true, index if false. */
const ANNOUNCEMENTS: Filter = [
  [LOAD_HALF, 12],
  [JUMP_EQUAL, 0x0806, ACCEPT, 2],
  [JUMP_EQUAL, 0x0800, 4, 3],
  [JUMP_EQUAL, 0x86dd, 6, REJECT],
  [LOAD_BYTE, 23],
  [JUMP_EQUAL, 112, ACCEPT, REJECT],
  [LOAD_BYTE, 20],
  [JUMP_EQUAL, 112, ACCEPT, 8],
  [JUMP_EQUAL, 58, 9, REJECT],
  [LOAD_BYTE, 54],
  [JUMP_EQUAL, 135, ACCEPT, 11],
  [JUMP_EQUAL, 136, ACCEPT, REJECT],
  [RETURN, FRAME_BYTES],
  [RETURN, 0],
];

/** ARP, and neighbour advertisements. */
const CLAIMS: Filter = [
  [LOAD_HALF, 12],
  [JUMP_EQUAL, 0x0806, 7, 2],
  [JUMP_EQUAL, 0x86dd, 3, 8],
  [LOAD_BYTE, 20],
  [JUMP_EQUAL, 58, 5, 8],
  [LOAD_BYTE, 54],
  [JUMP_EQUAL, 136, 7, 8],
  [RETURN, FRAME_BYTES],
  [RETURN, 0],
];

/** What comes to this host of ARP and neighbour advertisements, and leaves it. */
export const kernelNeighbours: Neighbours = {
  watch: (linkIndex, onFrame) => capture(linkIndex, CLAIMS, false, onFrame),
};

/**
 * Calls back with each VRRP, ARP and neighbour discovery frame that passes the link, until closed, and with the instant at
 * which the kernel has seen it: milliseconds since the epoch, with fractions. Throws a system error.
 */
export function captureAnnouncements(linkIndex: number, onFrame: (frame: Bytes, wallMs: number) => void): FdWatch {
  return capture(linkIndex, ANNOUNCEMENTS, true, onFrame);
}

function capture(
  linkIndex: number,
  filter: Filter,
  isPromiscuous: boolean,
  onFrame: (frame: Bytes, wallMs: number) => void,
): FdWatch {
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError("socket", errno(), "packet capture");
  const memory = allocateMemory(FRAME_BYTES);
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset);
  const failure =
    attachFilter(fd, view, memory.address, filter) ||
    (isPromiscuous ? promiscuous(fd, view, memory.address, linkIndex) : 0) ||
    bindTo(fd, view, memory.address, linkIndex);
  if (failure !== 0) {
    close(fd);
    throw systemError("packet capture", failure, `link ${linkIndex}`);
  }
  const watch = watchReadable(fd, () => {
    for (;;) {
      const received = recv(fd, memory.address, FRAME_BYTES, 0);
      if (received <= 0) return;
      const frame = memory.bytes.slice(0, received);
      onFrame(frame, ioctl(fd, SIOCGSTAMPNS, memory.address) < 0 ? Date.now() : timespecMs(view));
    }
  });
  return {
    close: () => {
      watch.close();
      close(fd);
    },
  };
}

/** struct timespec with 64-bit members, as on every 64-bit machine. */
function timespecMs(view: DataView): number {
  return Number(view.getBigInt64(0, true)) * 1000 + Number(view.getBigInt64(8, true)) / 1e6;
}

/** struct sock_fprog in front of its program. 0 or errno. */
function attachFilter(fd: number, view: DataView, address: number, filter: Filter): number {
  const programAt = 16;
  view.setUint16(0, filter.length, true);
  view.setBigUint64(8, BigInt(address + programAt), true);
  filter.forEach(([opcode, k, yes, no], i) => {
    const at = programAt + 8 * i;
    view.setUint16(at, opcode, true);
    view.setUint8(at + 2, yes === undefined ? 0 : yes - i - 1);
    view.setUint8(at + 3, no === undefined ? 0 : no - i - 1);
    view.setUint32(at + 4, k, true);
  });
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, address, 16) < 0 ? errno() : 0;
}

/** Frames between two other stations pass a bridge only when it is told to show them. 0 or errno. */
function promiscuous(fd: number, view: DataView, address: number, linkIndex: number): number {
  view.setBigUint64(8, 0n, true);
  view.setInt32(0, linkIndex, true);
  view.setUint16(4, PACKET_MR_PROMISC, true);
  view.setUint16(6, 0, true);
  return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, address, 16) < 0 ? errno() : 0;
}

/** struct sockaddr_ll. 0 or errno. */
function bindTo(fd: number, view: DataView, address: number, linkIndex: number): number {
  for (let at = 0; at < 20; at += 4) view.setUint32(at, 0, true);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL_BE, true);
  view.setInt32(4, linkIndex, true);
  return bind(fd, address, 20) < 0 ? errno() : 0;
}
