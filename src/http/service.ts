/**
 * The HTTP service as a worker runs it: built from a bound configuration, driven by ports. `process/` joins the two.
 * Master: `planHttp` tells which sockets are wanted. Worker: `createHttpService`, `start`, and at the end `quiesce`.
 */
import type { Bytes } from "../base/bytes.ts";
import type { HostLookup } from "../base/ip.ts";
import type { Log } from "../base/log.ts";
import type { Compression } from "../io/compression.ts";
import type { Crypt } from "../io/crypt.ts";
import type { Datagrams } from "../io/datagram.ts";
import type { Files } from "../io/files.ts";
import type { Logging } from "../io/logging.ts";
import type { MemorySource } from "../io/memory.ts";
import type { Reactor } from "../io/reactor.ts";
import type { SharedMemory } from "../io/shared-memory.ts";
import type { CounterBoard } from "../net/counters.ts";

/** What the service needs of the world. */
export interface HttpPorts {
  readonly reactor: Reactor;
  readonly files: Files;
  readonly memory: MemorySource;
  readonly shared: SharedMemory;
  /** Counters of all workers; `slot` is this worker's line. */
  readonly counters: CounterBoard;
  readonly slot: number;
  /** Host names as the configuration was loaded with. */
  readonly lookUp: HostLookup;
  /** For questions to name servers. */
  readonly datagrams: Datagrams;
  /** The error log of the main context; used where http has no `error_log` of its own. */
  readonly log: Log;
  /** Opens the error logs that http has of its own. */
  readonly logging: Logging;
  readonly compression: Compression;
  readonly crypt: Crypt;
  /** So many bytes from the kernel's generator. */
  random(sizeBytes: number): Bytes;
  /** Minutes east of UTC at an instant. */
  timezoneOffset(epochS: number): number;
  /** An instant in a format of strftime(3), in local time or GMT; undefined when it makes nothing or too much. */
  formatTime(format: string, epochS: number, isLocal: boolean): string | undefined;
  readonly processId: number;
  /** False once the process of this id is gone. */
  isAlive(processId: number): boolean;
  readonly hostName: string;
  /** `multi_accept` of the events block. */
  readonly multiAccept: boolean;
  /** `worker_connections`: connections beyond are closed at once, as nginx does. */
  readonly maxConnections: number;
}
