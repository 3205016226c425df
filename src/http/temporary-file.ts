/** A file that exists while a request needs it. Counterpart in nginx: ngx_create_temp_file. */
import type { Bytes } from "../base/bytes.ts";
import type { Memory } from "../io/memory.ts";
import type { Worker } from "./worker.ts";

/** Where temporary files are made: a folder, and the digits of its levels of subfolders (`1 2` for `…/7/43/0000000437`). */
export interface TemporaryFolder {
  readonly path: string;
  readonly levels: readonly number[];
}

const NAME_DIGITS = 10;
const EEXIST = 17;
const ENOENT = 2;
/** Names that are taken are skipped; more than this many in a row means that something else is wrong. */
const MAX_ATTEMPTS = 1000;

/** A system call that has failed. */
export interface FileFailure {
  readonly call: string;
  readonly path: string;
  readonly errno: number;
}

export class TemporaryFile {
  readonly path: string;
  readonly fd: number;
  /** Bytes that have been appended. */
  length = 0;
  private readonly worker: Worker;
  private linked: boolean;

  private constructor(worker: Worker, path: string, fd: number, keepName: boolean) {
    this.worker = worker;
    this.path = path;
    this.fd = fd;
    this.linked = keepName;
    if (!keepName) worker.ports.files.unlink(path);
  }

  /** Makes a new file; it has a name in the file system only while `keepName`. */
  static create(worker: Worker, folder: TemporaryFolder, keepName: boolean): TemporaryFile | FileFailure {
    return TemporaryFile.createAt(worker, keepName, (number) => {
      const parents = subfolders(folder, number);
      return { path: `${parents.at(-1)}/${number}`, parents };
    });
  }

  /** Makes a new file beside the place that it shall have, `parents` being the folders on the way there. */
  static createBeside(worker: Worker, path: string, parents: readonly string[]): TemporaryFile | FileFailure {
    return TemporaryFile.createAt(worker, true, (number) => ({ path: `${path}.${number}`, parents }));
  }

  private static createAt(
    worker: Worker,
    keepName: boolean,
    place: (number: string) => { readonly path: string; readonly parents: readonly string[] },
  ): TemporaryFile | FileFailure {
    const { files } = worker.ports;
    let path = "";
    let result = -EEXIST;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const chosen = place(String(worker.temporary()).padStart(NAME_DIGITS, "0"));
      const { parents } = chosen;
      path = chosen.path;
      result = files.openNew(path);
      if (result === -ENOENT && parents.length > 1) {
        for (const parent of parents) files.makeFolder(parent);
        result = files.openNew(path);
      }
      if (result >= 0) return new TemporaryFile(worker, path, result, keepName);
      if (result !== -EEXIST) break;
    }
    return { call: "open()", path, errno: -result };
  }

  /** Appends `memory.bytes[start, end)`; the failure's errno, or 0. */
  append(memory: Memory, start: number, end: number): number {
    let at = start;
    while (at < end) {
      const written = this.worker.ports.files.writeAt(this.fd, memory, at, end - at, this.length);
      if (written < 0) return -written;
      at += written;
      this.length += written;
    }
    return 0;
  }

  /** The same for bytes that the kernel can't be shown where they lie. */
  appendCopy(bytes: Bytes, start: number, end: number): number {
    const { scratch } = this.worker;
    for (let at = start; at < end; ) {
      const size = Math.min(end - at, scratch.size);
      scratch.bytes.set(bytes.subarray(at, at + size), 0);
      const errno = this.append(scratch.memory, 0, size);
      if (errno !== 0) return errno;
      at += size;
    }
    return 0;
  }

  /** Removes its name. */
  unlink(): void {
    if (!this.linked) return;
    this.linked = false;
    this.worker.ports.files.unlink(this.path);
  }

  /** Its name is somebody else's business from here on. */
  forget(): void {
    this.linked = false;
  }

  close(): void {
    this.worker.ports.files.close(this.fd);
  }
}

/** The folder and its subfolders on the way to a name, whose last characters name them. nginx: ngx_create_hashed_filename. */
export function subfolders({ path, levels }: TemporaryFolder, name: string): readonly string[] {
  const parents = [path];
  let end = name.length;
  for (const digits of levels) {
    parents.push(`${parents.at(-1)}/${name.slice(end - digits, end)}`);
    end -= digits;
  }
  return parents;
}
