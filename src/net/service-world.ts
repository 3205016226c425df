/** The ports of services with clients. */
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
import type { CounterBoard } from "./counters.ts";

/** What such a service needs of the world; each adds what only it needs. `process/` joins the two. */
export interface ServiceWorld {
  readonly reactor: Reactor;
  readonly files: Files;
  readonly memory: MemorySource;
  readonly shared: SharedMemory;
  /** Counters of all workers; `slot` is this worker's line, which its services share. */
  readonly counters: CounterBoard;
  readonly slot: number;
  /** Host names as the configuration was loaded with. */
  readonly lookUp: HostLookup;
  /** For questions to name servers. */
  readonly datagrams: Datagrams;
  /** The error log of the main context; used where the service has no `error_log` of its own. */
  readonly log: Log;
  /** Opens the error logs that the service has of its own. */
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
  /** `worker_connections`: connections beyond are closed at once, as nginx does. */
  readonly maxConnections: number;
}
