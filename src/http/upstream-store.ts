/** `proxy_store`: a copy of an answer becomes a file. Counterpart in nginx: ngx_http_upstream_store, ngx_ext_rename_file. */
import type { Bytes } from "../base/bytes.ts";
import type { Use } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import type { Memory } from "../io/memory.ts";
import { folderMode, moveFile } from "./file-moves.ts";
import { mapPath } from "./paths.ts";
import type { Request } from "./request.ts";
import { TemporaryFile, type TemporaryFolder } from "./temporary-file.ts";
import type { Text } from "./variables.ts";

/** What a location stores. */
export interface StoreRules {
  /** Where to; undefined: where `root` or `alias` has the file. */
  readonly path: Text | undefined;
  readonly mode: number;
}

/** `proxy_store`: a text with the path, "on" for the location's own, "off". */
export function parseStore(use: Use): Template | "on" | "off" | undefined {
  const text = use.args[0] as string;
  if (text === "on" || text === "off") return text;
  return text === "" ? use.fail("empty path") : use.template(text);
}

/** The copy of one answer while it passes. */
export class StoredAnswer {
  private readonly request: Request;
  private readonly rules: StoreRules;
  private readonly folder: TemporaryFolder;
  private file: TemporaryFile | undefined = undefined;

  constructor(request: Request, rules: StoreRules, folder: TemporaryFolder) {
    this.request = request;
    this.rules = rules;
    this.folder = folder;
  }

  get length(): number {
    return this.file?.length ?? 0;
  }

  /** False when it can't be written, which has been logged. */
  append(memory: Memory | undefined, bytes: Bytes, start: number, end: number): boolean {
    const file = this.open();
    if (file === undefined) return false;
    const errno = memory === undefined ? file.appendCopy(bytes, start, end) : file.append(memory, start, end);
    if (errno !== 0) this.complain("pwrite()", file.path, errno);
    return errno === 0;
  }

  private open(): TemporaryFile | undefined {
    if (this.file !== undefined) return this.file;
    const file = TemporaryFile.create(this.request.connection.worker, this.folder, true);
    if (file instanceof TemporaryFile) this.file = file;
    else this.complain(file.call, file.path, file.errno);
    return this.file;
  }

  private complain(call: string, path: string, errno: number): void {
    this.request.connection.logError("crit", `${call} "${path}" failed`, errno);
  }

  /** The answer is whole: its copy gets its place. `modifiedS`: seconds since 1970, -1 when unknown. */
  keep(modifiedS: number): void {
    const file = this.open();
    const { request, rules } = this;
    const path = rules.path === undefined ? mapPath(request, request.uri) : rules.path(request);
    if (file === undefined || path === undefined || path === "") {
      this.drop();
      return;
    }
    this.file = undefined;
    const { mode } = rules;
    file.forget();
    moveFile(request.connection, file.path, path, {
      fd: file.fd,
      mode,
      modifiedS,
      folderMode: folderMode(mode),
      deletes: true,
    });
    file.close();
  }

  /** The answer is not what should be stored. */
  drop(): void {
    const { file } = this;
    this.file = undefined;
    file?.unlink();
    file?.close();
  }
}
