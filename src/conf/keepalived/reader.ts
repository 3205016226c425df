/** What the configuration is read from: files, and the facts of the node that definitions and conditions ask for. */
import type { Decoded } from "../../base/decoded.ts";

/** Files as a configuration sees them; a test hands over a table of texts. */
export interface ConfigReader {
  /** The text of a file, or why it can't be read (`No such file or directory`). */
  read(path: string): Decoded<string>;
  /** Paths that match a glob pattern with csh braces, sorted; none: nothing matches. */
  glob(pattern: string): readonly string[];
}

/** What `@id` lines, `${_…}` definitions and repeated reading depend on. */
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
