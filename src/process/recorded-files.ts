/**
 * The files of a configuration, kept as they were read, so that every worker builds exactly what the master has checked:
 * a file that is edited later, or is gone, concerns the next reload only.
 */

import { fromLatin1, latin1 } from "../base/bytes.ts";
import type { ConfigReader, ReadError } from "../conf/nginx/load.ts";
import { errorText } from "../os/errno.ts";
import { findPaths, readConfigFile } from "./config-files.ts";

/** What was asked for and answered. Plain data: it travels over IPC as JSON. Texts are byte strings. */
export interface RecordedFiles {
  readonly texts: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, ReadError>>;
  readonly globs: Readonly<Record<string, readonly string[]>>;
}

/** Reads from disk and keeps what it has read. */
export class RecordingReader implements ConfigReader {
  readonly #texts: Record<string, string> = {};
  readonly #errors: Record<string, ReadError> = {};
  readonly #globs: Record<string, readonly string[]> = {};

  get recorded(): RecordedFiles {
    return { texts: this.#texts, errors: this.#errors, globs: this.#globs };
  }

  read(path: string): Uint8Array | ReadError {
    const result = readConfigFile(path);
    if (result instanceof Uint8Array) {
      this.#texts[path] = latin1(result);
      return result;
    }
    const error = { call: result.call, errno: result.errno, text: errorText(result.errno) };
    this.#errors[path] = error;
    return error;
  }

  glob(pattern: string): readonly string[] {
    const found = findPaths(pattern);
    this.#globs[pattern] = found;
    return found;
  }
}

/** Answers as the recording was answered. */
export class ReplayingReader implements ConfigReader {
  readonly #recorded: RecordedFiles;

  constructor(recorded: RecordedFiles) {
    this.#recorded = recorded;
  }

  read(path: string): Uint8Array | ReadError {
    const text = this.#recorded.texts[path];
    if (text !== undefined) return fromLatin1(text);
    return this.#recorded.errors[path] ?? { call: "open()", errno: 2, text: errorText(2) };
  }

  glob(pattern: string): readonly string[] {
    return this.#recorded.globs[pattern] ?? [];
  }
}
