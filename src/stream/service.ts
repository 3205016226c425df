/** What the stream service needs of the world. `process/` joins the two, as with HTTP. */
import type { Bytes } from "../base/bytes.ts";
import type { HostLookup } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Compression } from "../io/compression.ts";
import type { Datagrams } from "../io/datagram.ts";
import type { Files } from "../io/files.ts";
import type { Logging } from "../io/logging.ts";
import type { MemorySource } from "../io/memory.ts";
import type { Reactor } from "../io/reactor.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import type { CounterBoard } from "../net/counters.ts";

export interface StreamPorts {
  readonly reactor: Reactor;
  readonly files: Files;
  readonly memory: MemorySource;
  readonly shared: SharedMemory;
  /** Counters of all workers; `slot` is this worker's line, which HTTP writes too. */
  readonly counters: CounterBoard;
  readonly slot: number;
  /** Host names as the configuration was loaded with. */
  readonly lookUp: HostLookup;
  /** For questions to name servers. */
  readonly datagrams: Datagrams;
  /** The error log of the main context; used where stream has no `error_log` of its own. */
  readonly log: Log;
  readonly logging: Logging;
  readonly compression: Compression;
  /** So many bytes from the kernel's generator. */
  random(sizeBytes: number): Bytes;
  /** Minutes east of UTC at an instant. */
  timezoneOffset(epochS: number): number;
  readonly processId: number;
  readonly hostName: string;
  /** `multi_accept` of the events block. */
  readonly multiAccept: boolean;
  /** `worker_connections`: connections beyond are closed at once. */
  readonly maxConnections: number;
}
