/**
 * The zones of the master: made before the workers start and handed down by descriptor; kept across reloads when name, size
 * and purpose stay. nginx: the part of ngx_init_cycle that creates shared memory, and ngx_unlock_mutexes.
 */
import type { Log } from "../base/log.ts";
import { Zone } from "../base/zone.ts";
import type { ZoneDeclaration } from "../conf/zones.ts";
import { SystemError } from "../os/errno.ts";
import { close } from "../os/ffi/files.ts";
import { kernelLockHost } from "../os/shared-memory.ts";
import type { ZoneDescriptor } from "./messages.ts";
import { createZoneMemory, mapZone, type ZoneMemory } from "./zone-memory.ts";

interface OpenZone {
  readonly declaration: ZoneDeclaration;
  readonly fd: number;
  readonly memory: ZoneMemory;
  readonly zone: Zone;
}

/** Zones for a configuration that isn't in force yet: either `commit` or `abandon` it. */
export interface PreparedZones {
  /** What a worker that starts now is given. Those of the configuration before go along until `commit`. */
  readonly descriptors: readonly ZoneDescriptor[];
  /** Closes what the new configuration doesn't want. Workers that still use it have it. */
  commit(): void;
  /** Closes what was made for it. */
  abandon(): void;
}

export class ZoneSet {
  private readonly log: Log;
  private open = new Map<string, OpenZone>();

  constructor(log: Log) {
    this.log = log;
  }

  /** Makes what is missing. Undefined when that failed: everything is then as before, and the log says why. */
  prepare(declarations: readonly ZoneDeclaration[]): PreparedZones | undefined {
    const before = this.open;
    const wanted = new Map<string, OpenZone>();
    const made: OpenZone[] = [];
    for (const declaration of declarations) {
      const old = before.get(declaration.name);
      const isKept = old !== undefined && survives(old.declaration, declaration);
      const zone = isKept ? this.keep(old, declaration) : this.make(declaration);
      if (zone === undefined) {
        made.forEach(closeZone);
        return undefined;
      }
      if (!isKept) made.push(zone);
      wanted.set(declaration.name, zone);
    }
    // From now on a worker that dies is looked for in these, too.
    this.open = new Map([...[...before].map(([name, zone]) => [`old ${name}`, zone] as const), ...wanted]);
    let isCommitted = false;
    return {
      get descriptors() {
        return [...wanted.values()].map(({ declaration, fd }): ZoneDescriptor => {
          const { name, sizeBytes } = declaration;
          const old = isCommitted ? undefined : before.get(name);
          if (old === undefined || old.fd === fd) return { name, sizeBytes, fd, previous: undefined };
          return { name, sizeBytes, fd, previous: { fd: old.fd, sizeBytes: old.declaration.sizeBytes } };
        });
      },
      commit: () => {
        isCommitted = true;
        const kept = new Set([...wanted.values()].map(({ fd }) => fd));
        for (const zone of before.values()) if (!kept.has(zone.fd)) closeZone(zone);
        this.open = wanted;
      },
      abandon: () => {
        made.forEach(closeZone);
        this.open = before;
      },
    };
  }

  /** A worker has died: what it had locked is free. */
  release(pid: number): void {
    for (const { zone } of this.open.values()) {
      if (zone.lock.releaseFor(pid)) this.log.write("alert", `shared memory zone "${zone.name}" was locked by ${pid}`);
    }
  }

  /** The zone as the new configuration has it; undefined when that contradicts what is in it. */
  private keep(old: OpenZone, declaration: ZoneDeclaration): OpenZone | undefined {
    const { key } = declaration;
    const before = old.declaration.key;
    if (key !== undefined && before !== undefined && key.text !== before.text) {
      this.log.write("emerg", key.complain(before.text));
      return undefined;
    }
    return { ...old, declaration };
  }

  private make(declaration: ZoneDeclaration): OpenZone | undefined {
    const { name, sizeBytes } = declaration;
    try {
      const fd = createZoneMemory(name, sizeBytes);
      const memory = mapZone(fd, sizeBytes);
      const user = { processId: process.pid, host: kernelLockHost };
      return { declaration, fd, memory, zone: new Zone(name, memory.words, user) };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.log.write("emerg", error.message);
      return undefined;
    }
  }
}

function survives(old: ZoneDeclaration, { purpose, sizeBytes, isRenewed }: ZoneDeclaration): boolean {
  return !isRenewed && old.purpose === purpose && old.sizeBytes === sizeBytes;
}

function closeZone({ fd, memory }: OpenZone): void {
  memory.unmap();
  close(fd);
}
