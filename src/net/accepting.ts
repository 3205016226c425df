/** What services do alike with connections that come. nginx: ngx_event_accept. */
import { printIp } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Acceptor } from "../io/reactor.ts";
import type { Stream } from "../io/stream.ts";
import type { SocketPlan } from "./listening-plan.ts";
import { type MemoryGuard, SMALL_BYTES } from "./memory-guard.ts";
import type { ServiceWorld } from "./service-world.ts";

const ENOMEM = 12;
const EMFILE = 24;
const ENFILE = 23;

/** Accepts on all sockets; `fds[i]` belongs to `sockets[i]`. */
export function acceptAll(
  { reactor, log, multiAccept }: ServiceWorld,
  sockets: readonly SocketPlan[],
  fds: readonly number[],
  onAccept: (stream: Stream, socket: SocketPlan) => void,
): Acceptor[] {
  return sockets.map((socket, index) =>
    reactor.accept(fds[index] as number, {
      multiAccept,
      onAccept: (stream) => onAccept(stream, socket),
      onError: (errno) =>
        log.write(errno === EMFILE || errno === ENFILE ? "crit" : "alert", "accept4() failed", { errno }),
    }),
  );
}

/** A service's worker, as far as it decides whether there is room. */
interface Room {
  readonly log: Log;
  readonly guard: MemoryGuard;
  readonly ports: Pick<ServiceWorld, "maxConnections">;
}

/** True where there is room for the connection beside `active` others; else it is closed, which is logged. */
export function hasRoom(stream: Stream, active: number, { log, guard, ports }: Room): boolean {
  const { maxConnections } = ports;
  if (active < maxConnections && guard.allows(SMALL_BYTES)) return true;
  if (active >= maxConnections) log.write("alert", `${maxConnections} worker_connections are not enough`);
  else log.write("emerg", `malloc(${SMALL_BYTES}) failed`, { errno: ENOMEM });
  stream.close();
  return false;
}

/** The index of the address that the client has connected to. */
export function addressIndexOf({ local }: Stream, { fallback, byIp }: SocketPlan): number {
  return byIp.size > 0 && "ip" in local ? (byIp.get(printIp(local.ip)) ?? fallback) : fallback;
}
