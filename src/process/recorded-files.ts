/**
 * The files of a configuration, kept as they were read, and the host names in it, kept as they were found, so that every worker
 * builds exactly what the master has checked: a file that is edited later, or is gone, concerns the next reload only.
 */

import { fromLatin1, latin1 } from "../base/bytes.ts";
import { type HostLookup, type IpAddress, parseIp, printIp } from "../base/ip.ts";
import type { BaseFile, ConfigReader, ReadError } from "../conf/nginx/load.ts";
import { errorText } from "../os/errno.ts";
import { askForHost } from "../os/host-names.ts";
import { findPaths, isOlder, readConfigFile } from "./config-files.ts";

/** What was asked for and answered. Plain data: it travels over IPC as JSON. Texts are byte strings. */
export interface RecordedFiles {
  readonly texts: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, ReadError>>;
  readonly globs: Readonly<Record<string, readonly string[]>>;
  /** Binary bases, by the files that they are of. */
  readonly bases: Readonly<Record<string, { readonly text: string; readonly isStale: boolean }>>;
  /** Addresses of host names; none for a name that has none. */
  readonly hosts: Readonly<Record<string, readonly string[]>>;
}

/** Where a configuration comes from: its files, and the addresses of the names in it. */
export interface ConfigurationSource extends ConfigReader {
  readonly lookUp: HostLookup;
}

/** Reads from disk, asks the system for names, and keeps what it has learnt. */
export class RecordingReader implements ConfigurationSource {
  readonly #texts: Record<string, string> = {};
  readonly #errors: Record<string, ReadError> = {};
  readonly #globs: Record<string, readonly string[]> = {};
  readonly #bases: Record<string, { readonly text: string; readonly isStale: boolean }> = {};
  readonly #hosts = new Map<string, readonly string[]>();
  readonly #ask: typeof askForHost;
  #isRefused = false;

  constructor(ask = askForHost) {
    this.#ask = ask;
  }

  get recorded(): RecordedFiles {
    return {
      texts: this.#texts,
      errors: this.#errors,
      globs: this.#globs,
      bases: this.#bases,
      hosts: Object.fromEntries(this.#hosts),
    };
  }

  /**
   * Each name is looked up once, so that all its uses in a configuration agree. When no name server answers, the configuration
   * is refused with the first name: the others are not waited for.
   */
  readonly lookUp: HostLookup = (name) => {
    const known = this.#hosts.get(name);
    if (known !== undefined) return addresses(known);
    if (this.#isRefused) return ANY_ADDRESS;
    const found = this.#ask(name);
    if (found === "again") this.#isRefused = true;
    const texts = found === "again" ? [] : found.map(printIp);
    this.#hosts.set(name, texts);
    return addresses(texts);
  };

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

  readBase(path: string): BaseFile | undefined {
    const bytes = readConfigFile(`${path}.bin`);
    if (!(bytes instanceof Uint8Array)) return undefined;
    const isStale = isOlder(`${path}.bin`, path);
    this.#bases[path] = { text: latin1(bytes), isStale };
    return { bytes, isStale };
  }

  /** A base has just been made: workers need not read the file. */
  addBase(path: string, bytes: Uint8Array): void {
    this.#bases[path] = { text: latin1(bytes), isStale: false };
  }
}

/** Answers as the recording was answered. */
export class ReplayingReader implements ConfigurationSource {
  readonly #recorded: RecordedFiles;

  constructor(recorded: RecordedFiles) {
    this.#recorded = recorded;
  }

  readonly lookUp: HostLookup = (name) => {
    const { hosts } = this.#recorded;
    return Object.hasOwn(hosts, name) ? addresses(hosts[name] as readonly string[]) : undefined;
  };

  read(path: string): Uint8Array | ReadError {
    const text = this.#recorded.texts[path];
    if (text !== undefined) return fromLatin1(text);
    return this.#recorded.errors[path] ?? { call: "open()", errno: 2, text: errorText(2) };
  }

  glob(pattern: string): readonly string[] {
    return this.#recorded.globs[pattern] ?? [];
  }

  readBase(path: string): BaseFile | undefined {
    const base = this.#recorded.bases[path];
    return base && { bytes: fromLatin1(base.text), isStale: base.isStale };
  }
}

/** Stands for the addresses of a name that nobody has asked for. */
const ANY_ADDRESS: readonly IpAddress[] = [new Uint8Array(4)];

function addresses(texts: readonly string[]): readonly IpAddress[] | undefined {
  return texts.length === 0 ? undefined : texts.map((text) => parseIp(text) as IpAddress);
}
