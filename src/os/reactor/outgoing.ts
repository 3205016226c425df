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
  SO_KEEPALIVE,
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

/** The descriptor of a socket that has connected or will, or -errno. */
export function openOutgoing(
  host: OutgoingHost,
  remote: Endpoint,
  local: Endpoint | undefined,
  settings: ConnectSettings | undefined,
): number {
  const family = familyOf(remote);
  const fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno();
  let error = settings === undefined ? 0 : applySettings(host, fd, family, settings);
  if (error === 0 && local !== undefined) error = bindTo(host, fd, family, local);
  if (error === 0) {
    const { bytes, address } = host.addressMemory;
    const length = encodeEndpoint(bytes, 8, remote);
    if (connect(fd, address + 8, length) === 0) return fd;
    error = errno();
    if (error === EINPROGRESS || error === EINTR) return fd;
  }
  close(fd);
  return -error;
}

/** 0 or the errno of the first option that was refused. */
function applySettings(host: OutgoingHost, fd: number, family: number, settings: ConnectSettings): number {
  const { socketOptions } = host;
  const set = (level: number, name: number, value: number): number =>
    value === 0 ? 0 : -socketOptions.setInt(fd, level, name, value);
  return (
    set(SOL_SOCKET, SO_RCVBUF, settings.receiveBuffer) ||
    set(SOL_SOCKET, SO_SNDBUF, settings.sendBuffer) ||
    set(SOL_SOCKET, SO_KEEPALIVE, settings.keepAlive ? 1 : 0) ||
    (settings.transparent && family !== AF_UNIX ? setTransparent(host, fd, family) : 0)
  );
}

function setTransparent({ socketOptions }: OutgoingHost, fd: number, family: number): number {
  const isIpv6 = family === AF_INET6;
  return -socketOptions.setInt(fd, isIpv6 ? IPPROTO_IPV6 : IPPROTO_IP, isIpv6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
}

function bindTo({ addressMemory, socketOptions }: OutgoingHost, fd: number, family: number, local: Endpoint): number {
  // The port is chosen with the connect, so that ports are shared by destination.
  if (family !== AF_UNIX) socketOptions.setInt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  const { bytes, address } = addressMemory;
  const length = encodeEndpoint(bytes, 8, local);
  return bind(fd, address + 8, length) < 0 ? errno() : 0;
}
