/**
 * The HTTP service as a worker runs it: built from a bound configuration, driven by ports. `process/` joins the two.
 * Master: `planHttp` tells which sockets are wanted. Worker: `createHttpService`, `start`, and at the end `quiesce`.
 */
import type { Crypt } from "../io/crypt.ts";
import type { ServiceWorld } from "../net/service-world.ts";

/** What the service needs of the world. */
export interface HttpPorts extends ServiceWorld {
  readonly crypt: Crypt;
  /** An instant in a format of strftime(3), in local time or GMT; undefined when it makes nothing or too much. */
  formatTime(format: string, epochS: number, isLocal: boolean): string | undefined;
  /** False once the process of this id is gone. */
  isAlive(processId: number): boolean;
}
