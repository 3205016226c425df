/** Memory that the workers of a master share, as a worker sees it. Implementation: `process/`, over `os/shared-memory.ts`. */
import type { Zone } from "../base/zone.ts";

export interface SharedMemory {
  /** The zone of this name; a directive must have declared it (`use.zone`). The same object each time. */
  zone(name: string): Zone;
}
