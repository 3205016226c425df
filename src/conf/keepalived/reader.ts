/** What the configuration is read from: files, and the facts of the node that definitions and conditions ask for. */
import type { ConfigReader } from "../nginx/load.ts";

/** What `@id` lines, includes and `${_…}` definitions depend on. */
export interface ReadOptions {
  readonly reader: ConfigReader;
  /** `-i`, by default the short host name: selects `@id` lines. */
  readonly configId: string;
  /** `${_ENV NAME}`. */
  readonly environment?: (name: string) => string | undefined;
  /** `${_RANDOM min max}`: an integer from min to max. */
  readonly random?: (min: number, max: number) => number;
  /** `-e`: a missing include is an error. */
  readonly includeMustExist?: boolean;
}
