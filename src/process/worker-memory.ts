/** What a worker shares with the others, from the descriptors that its master has handed down. */
import { assert } from "../base/assert.ts";
import { Zone, type ZoneUser } from "../base/zone.ts";
import { ZoneLedger } from "../base/zone-ledger.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import type { CounterBoard } from "../net/counters.ts";
import { close } from "../os/ffi/files.ts";
import { kernelLockHost } from "../os/shared-memory.ts";
import { descriptorsOf, type SharedDescriptors, type ZoneDescriptor } from "./messages.ts";
import { openBoard } from "./worker-board.ts";
import { mapZone } from "./zone-memory.ts";

export interface WorkerMemory {
  readonly shared: SharedMemory;
  readonly counters: CounterBoard;
}

/** Maps everything, and closes the descriptors. */
export function openWorkerMemory(descriptors: SharedDescriptors, slot: number): WorkerMemory {
  const { board, zones } = descriptors;
  const user: ZoneUser = { processId: process.pid, host: kernelLockHost };
  const open = new Map(zones.map((one) => [one.name, openZone(one, user, slot)]));
  const counters = openBoard(board);
  for (const fd of new Set(descriptorsOf(descriptors))) close(fd);
  return {
    counters,
    shared: {
      zone: (name) => {
        const zone = open.get(name);
        assert(zone !== undefined, `the zone "${name}" was declared`);
        return zone;
      },
    },
  };
}

function openZone({ name, fd, sizeBytes, previous }: ZoneDescriptor, user: ZoneUser, slot: number): Zone {
  const { words, ledger: beside } = mapZone(fd, sizeBytes);
  const ledger = new ZoneLedger(beside, words.length, { slot, processId: user.processId });
  if (previous === undefined) return new Zone(name, words, user, { ledger });
  const before = new Zone(name, mapZone(previous.fd, previous.sizeBytes).words, user);
  return new Zone(name, words, user, { ledger, previous: before });
}
