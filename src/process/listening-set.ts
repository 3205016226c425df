/**
 * The listening sockets of the master: kept across reloads, new ones opened, dropped ones closed; inherited from the old
 * program at a binary upgrade. nginx: ngx_open_listening_sockets and the part of ngx_init_cycle that compares two cycles.
 */
import { unlinkSync } from "node:fs";
import type { Log } from "../base/log.ts";
import { type ListenSpec, printEndpoint } from "../io/listen.ts";
import { EADDRINUSE, SystemError } from "../os/errno.ts";
import { ListeningSockets } from "../os/listening-socket.ts";

/** An address that is in use is tried so often, in such intervals: a program that is about to end may hold it. */
const BIND_TRIES = 5;
const BIND_INTERVAL_MS = 500;

interface OpenSocket {
  readonly fd: number;
  readonly spec: ListenSpec;
}

/** Sockets for a configuration that isn't in force yet: either `commit` or `abandon` it. */
export interface PreparedSockets {
  /** The descriptor that worker number `worker` (from 0) accepts on for this spec. */
  fdFor(spec: ListenSpec, worker: number): number;
  /** Closes what the new configuration doesn't want. */
  commit(): void;
  /** Closes what was opened for it. */
  abandon(): void;
}

/** One address; every further worker has its own socket with `reuseport`. */
function keyOf(spec: ListenSpec, worker: number): string {
  const protocol = spec.datagram === true ? "udp" : spec.multipath === true ? "mptcp" : "tcp";
  const address = `${protocol} ${printEndpoint(spec.endpoint)}`;
  return spec.reusePort === true && worker > 0 ? `${address} ${worker}` : address;
}

export class ListeningSet {
  private readonly log: Log;
  private readonly sockets: ListeningSockets;
  private open = new Map<string, OpenSocket>();

  constructor(log: Log) {
    this.log = log;
    this.sockets = new ListeningSockets((sentence) => log.write("alert", sentence));
  }

  /** Takes over descriptors that listen already. */
  inherit(fds: readonly number[]): void {
    for (const fd of fds) {
      const found = this.sockets.inspect(fd);
      if (found === undefined) {
        this.log.write("crit", `getsockname() of the inherited socket #${fd} failed`);
        continue;
      }
      let worker = 0;
      const spec: ListenSpec = { ...found, reusePort: true };
      while (this.open.has(keyOf(spec, worker))) worker++;
      this.sockets.setInheritable(fd, false);
      this.open.set(keyOf(spec, worker), { fd, spec });
    }
  }

  /** Every open descriptor, to be handed to a new program. */
  get fds(): readonly number[] {
    return [...this.open.values()].map(({ fd }) => fd);
  }

  /** Opens what is missing. Undefined when something can't be opened: everything is then as before, and the log says why. */
  async prepare(specs: readonly ListenSpec[], workers: number): Promise<PreparedSockets | undefined> {
    const wanted = new Map<string, ListenSpec>();
    for (const spec of specs) {
      const count = spec.reusePort === true ? workers : 1;
      for (let worker = 0; worker < count; worker++) wanted.set(keyOf(spec, worker), spec);
    }
    const opened = new Map<string, OpenSocket>();
    const abandon = (): void => {
      for (const socket of opened.values()) this.closeSocket(socket, true);
    };
    let missing = [...wanted].filter(([key]) => !this.open.has(key));
    for (let tries = BIND_TRIES; missing.length > 0; tries--) {
      const later: typeof missing = [];
      for (const [key, spec] of missing) {
        const outcome = this.openSocket(spec, opened);
        if (typeof outcome === "number") opened.set(key, { fd: outcome, spec });
        else if (outcome === "in use") later.push([key, spec]);
        else {
          abandon();
          return undefined;
        }
      }
      missing = later;
      if (missing.length === 0) break;
      if (tries === 1) {
        this.log.write("emerg", "still could not bind()");
        abandon();
        return undefined;
      }
      this.log.write("notice", "try again to bind() after 500ms");
      await new Promise((resolve) => setTimeout(resolve, BIND_INTERVAL_MS));
    }
    for (const [key, spec] of wanted) {
      const kept = this.open.get(key);
      if (kept !== undefined) this.sockets.change(kept.fd, kept.spec, spec);
    }
    const socketOf = (key: string): OpenSocket | undefined => opened.get(key) ?? this.open.get(key);
    return {
      fdFor: (spec, worker) => (socketOf(keyOf(spec, worker)) as OpenSocket).fd,
      abandon,
      commit: () => {
        for (const [key, socket] of this.open) if (!wanted.has(key)) this.closeSocket(socket, true);
        this.open = new Map([...wanted].map(([key, spec]) => [key, { fd: socketOf(key)?.fd as number, spec }]));
      },
    };
  }

  /** Whether all could be opened, were they free: they are opened and closed again. An address in use is no fault. */
  test(specs: readonly ListenSpec[]): boolean {
    return specs.every((spec) => {
      try {
        this.closeSocket({ fd: this.sockets.open(spec), spec }, true);
        return true;
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        if (error.call === "bind()" && error.errno === EADDRINUSE) return true;
        this.log.write("emerg", error.message);
        return false;
      }
    });
  }

  private openSocket(spec: ListenSpec, opened: ReadonlyMap<string, OpenSocket>): number | "in use" | "failed" {
    const other = this.open.get(keyOf({ ...spec, multipath: spec.multipath !== true }, 0));
    // A socket that was opened without the option keeps others away until it has it too.
    if (other !== undefined) this.sockets.allowReusePort(other.fd);
    if (spec.reusePort === true) {
      const first = this.open.get(keyOf(spec, 0)) ?? opened.get(keyOf(spec, 0));
      if (first !== undefined) this.sockets.allowReusePort(first.fd);
    }
    try {
      return this.sockets.open(spec, other !== undefined || spec.reusePort === true);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.log.write("emerg", error.message);
      return error.call === "bind()" && error.errno === EADDRINUSE ? "in use" : "failed";
    }
  }

  private closeSocket({ fd, spec }: OpenSocket, unlink: boolean): void {
    this.sockets.close(fd);
    if (!unlink || !("path" in spec.endpoint)) return;
    try {
      unlinkSync(Buffer.from(spec.endpoint.path, "latin1"));
    } catch (error) {
      this.log.write("emerg", `unlink() ${spec.endpoint.path} failed`, {
        errno: -((error as { errno?: number }).errno ?? 0),
      });
    }
  }

  /** Closes all. The files of unix sockets stay when another program listens on the same sockets. */
  close(unlink: boolean): void {
    for (const socket of this.open.values()) this.closeSocket(socket, unlink);
    this.open.clear();
  }
}
