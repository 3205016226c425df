/** A socket on its way to a peer: made, given its options, bound, connecting. nginx: ngx_event_connect_peer. */
import type { Memory } from "../../io/memory.ts";
import type { ConnectSettings } from "../../io/reactor.ts";
import type { Endpoint } from "../../io/stream.ts";
import { EINPROGRESS, EINTR } from "../errno.ts";
import { close } from "../ffi/files.ts";
import { errno } from "../ffi/native.ts";
import {
  AF_INET6,
  AF_UNIX,
  bind,
  connect,
  IP_BIND_ADDRESS_NO_PORT,
  IP_TRANSPARENT,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TRANSPARENT,
  SO_BINDTODEVICE,
  SO_KEEPALIVE,
  SO_MARK,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  socket,
} from "../ffi/sockets.ts";
import { encodeEndpoint, familyOf } from "../sockaddr.ts";
import type { SocketOptions } from "../socket-options.ts";

/** Where addresses are written for the kernel: `addressMemory` has room for one behind its first eight bytes. */
export interface OutgoingHost {
  readonly addressMemory: Memory;
  readonly socketOptions: SocketOptions;
}

/** What has failed: a call on this side, or ("") the connect itself. */
export interface OutgoingFailure {
  readonly call: string;
  readonly errno: number;
}

/** The descriptor of a socket that has connected or will. */
export function openOutgoing(
  host: OutgoingHost,
  remote: Endpoint,
  local: Endpoint | undefined,
  settings: ConnectSettings | undefined,
): number | OutgoingFailure {
  const family = familyOf(remote);
  const fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return { call: "socket()", errno: errno() };
  const refused = settings === undefined ? undefined : applySettings(host, fd, family, settings);
  const failure = refused ?? bindTo(host, fd, family, local) ?? connectTo(host, fd, remote);
  if (failure === undefined) return fd;
  close(fd);
  return failure;
}

function connectTo({ addressMemory }: OutgoingHost, fd: number, remote: Endpoint): OutgoingFailure | undefined {
  const { bytes, address } = addressMemory;
  const length = encodeEndpoint(bytes, 8, remote);
  if (connect(fd, address + 8, length) === 0) return undefined;
  const error = errno();
  return error === EINPROGRESS || error === EINTR ? undefined : { call: "", errno: error };
}

/** The first option that was refused. */
function applySettings(
  { socketOptions }: OutgoingHost,
  fd: number,
  family: number,
  settings: ConnectSettings,
): OutgoingFailure | undefined {
  const set = (level: number, name: number, value: number, text: string): OutgoingFailure | undefined => {
    const result = value === 0 ? 0 : socketOptions.setInt(fd, level, name, value);
    return result < 0 ? { call: `setsockopt(${text})`, errno: -result } : undefined;
  };
  const [level, name] = family === AF_INET6 ? [IPPROTO_IPV6, IPV6_TRANSPARENT] : [IPPROTO_IP, IP_TRANSPARENT];
  const isForeign = settings.transparent && family !== AF_UNIX;
  return (
    set(SOL_SOCKET, SO_RCVBUF, settings.receiveBuffer, "SO_RCVBUF") ??
    set(SOL_SOCKET, SO_SNDBUF, settings.sendBuffer, "SO_SNDBUF") ??
    set(SOL_SOCKET, SO_KEEPALIVE, settings.keepAlive ? 1 : 0, "SO_KEEPALIVE") ??
    set(level, name, isForeign ? 1 : 0, family === AF_INET6 ? "IPV6_TRANSPARENT" : "IP_TRANSPARENT") ??
    applyPath(socketOptions, fd, settings)
  );
}

/** Which way its packets go. */
export function applyPath(
  options: SocketOptions,
  fd: number,
  { mark = 0, device }: Pick<ConnectSettings, "mark" | "device">,
): OutgoingFailure | undefined {
  const marked = mark === 0 ? 0 : options.setInt(fd, SOL_SOCKET, SO_MARK, mark | 0);
  if (marked < 0) return { call: "setsockopt(SO_MARK)", errno: -marked };
  const tied = device === undefined ? 0 : options.setText(fd, SOL_SOCKET, SO_BINDTODEVICE, device);
  return tied < 0 ? { call: "setsockopt(SO_BINDTODEVICE)", errno: -tied } : undefined;
}

/** Gives a socket its own end. */
export function bindTo(
  { addressMemory, socketOptions }: OutgoingHost,
  fd: number,
  family: number,
  local: Endpoint | undefined,
): OutgoingFailure | undefined {
  if (local === undefined) return undefined;
  // The port is chosen with the connect, so that ports are shared by destination.
  if (family !== AF_UNIX) socketOptions.setInt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const { bytes, address } = addressMemory;
  const length = encodeEndpoint(bytes, 8, local);
  return bind(fd, address + 8, length) < 0 ? { call: "bind()", errno: errno() } : undefined;
}
