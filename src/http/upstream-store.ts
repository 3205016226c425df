/** `proxy_store`: a copy of an answer becomes a file. Counterpart in nginx: ngx_http_upstream_store, ngx_ext_rename_file. */
import type { Bytes } from "../base/bytes.ts";
import type { Use } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import type { Memory } from "../io/memory.ts";
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

const ENOENT = 2;
const EXDEV = 18;
/** A folder may be entered by whom its files may be read by. */
const folderMode = (mode: number): number => mode | ((mode & 0o444) >> 2);

/** `proxy_store`: a text with the path, "on" for the location's own, "off". */
export function parseStore(use: Use): Template | "on" | "off" | undefined {
  const text = use.args[0] as string;
  if (text === "on" || text === "off") return text;
  return text === "" ? use.fail("empty path") : use.template(text);
}

/** `proxy_store_access`: who may do what with the file, as its mode. */
export function parseStoreAccess(use: Use): number | undefined {
  let mode = 0;
  let user = 0o600;
  for (const word of use.args) {
    const match = /^(user|group|all):(rw|r)$/.exec(word);
    if (match === null) return use.fail(`invalid value "${word}"`);
    const [, who, rights] = match;
    if (who === "user") user = 0;
    mode |= (rights === "rw" ? 6 : 4) << (who === "user" ? 6 : who === "group" ? 3 : 0);
  }
  return mode | user;
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
    const { files } = request.connection.worker.ports;
    const failure = files.changeMode(file.fd, rules.mode);
    if (failure < 0) this.complain("chmod()", file.path, -failure);
    if (modifiedS >= 0) files.changeTime(file.fd, modifiedS);
    let result = files.rename(file.path, path);
    if (result === -ENOENT) {
      this.makeFolders(path);
      result = files.rename(file.path, path);
    }
    if (result === -EXDEV) result = this.copyTo(path, modifiedS);
    if (result === 0) this.file = undefined;
    else this.complain("rename()", `${file.path}" to "${path}`, -result);
    if (result === 0) file.close();
    else this.drop();
  }

  private makeFolders(path: string): void {
    const { files } = this.request.connection.worker.ports;
    for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1)) {
      files.makeFolder(path.slice(0, slash), folderMode(this.rules.mode));
    }
  }

  /** Another file system: the copy is made beside its place first. 0 or -errno. */
  private copyTo(path: string, modifiedS: number): number {
    const { worker } = this.request.connection;
    const { files } = worker.ports;
    const source = this.file as TemporaryFile;
    const beside = `${path}.${String(worker.temporary()).padStart(10, "0")}`;
    const fd = files.openNew(beside);
    if (fd < 0) return fd;
    const { scratch } = worker;
    let result = 0;
    for (let at = 0; at < source.length && result >= 0; at += result) {
      result = files.read(source.fd, scratch.memory, 0, scratch.size, at);
      if (result > 0) result = files.writeAt(fd, scratch.memory, 0, result, at);
      else break;
    }
    files.changeMode(fd, this.rules.mode);
    if (modifiedS >= 0) files.changeTime(fd, modifiedS);
    files.close(fd);
    if (result >= 0) result = files.rename(beside, path);
    if (result < 0) files.unlink(beside);
    else source.unlink();
    return Math.min(result, 0);
  }

  /** The answer is not what should be stored. */
  drop(): void {
    const { file } = this;
    this.file = undefined;
    file?.unlink();
    file?.close();
  }
}
