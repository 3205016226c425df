/**
 * A node's own view of the file system, made inside its mount namespace: /run, /tmp and /var/log are empty, and /etc is
 * the machine's with the node's files laid over it. Nothing of the machine is written, so no privilege on it is needed.
 */
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { getSystemErrorName } from "node:util";
import { mountBind, mountFileSystem } from "../os/ffi/mount.ts";
import type { StagedFile } from "./protocol.ts";

const ORIGINAL = "/run/etc-of-the-machine";
const PRIVATE = "/run/etc-of-the-node";
/** Where programs keep logs, pid files and temporary files. */
const EMPTY_DIRECTORIES = ["/tmp", "/var/log", "/var/lib/nginx"];

function check(what: string, result: number): void {
  if (result < 0) throw new Error(`${what}: ${getSystemErrorName(result)}`);
}

/** Replaces /run, /tmp, /var/log and /etc for this process and its children; `inUse` are paths that must stay visible. */
export function makePrivateFiles(files: readonly StagedFile[], inUse: readonly string[]): void {
  check("mount /run", mountFileSystem("tmpfs", "/run", "mode=755"));
  mkdirSync("/run/tmp", { mode: 0o1777 });
  for (const directory of EMPTY_DIRECTORIES) {
    const hides = inUse.some((used) => used.startsWith(`${directory}/`));
    if (existsSync(directory) && !hides) check(`mount ${directory}`, mountFileSystem("tmpfs", directory, "mode=1777"));
  }
  if (existsSync("/var/log/nginx") === false) mkdirSync("/var/log/nginx", { recursive: true });
  mkdirSync(ORIGINAL);
  mkdirSync(PRIVATE);
  check("bind /etc", mountBind("/etc", ORIGINAL));
  linkAll(ORIGINAL, PRIVATE);
  for (const file of files) writeStaged({ ...file, path: file.path.replace(/^\/etc\//, `${PRIVATE}/`) });
  check("bind private /etc", mountBind(PRIVATE, "/etc"));
  mountFileSystem("sysfs", "/sys"); // the old one shows the links of another namespace; not being allowed to is no harm
}

/** Writes a file of the node, in directories that become real ones on the way. */
export function writeStaged(file: StagedFile): void {
  makeReal(path.dirname(file.path));
  if (isSymbolicLink(file.path)) unlinkSync(file.path);
  writeFileSync(file.path, Buffer.from(file.base64, "base64"), { mode: file.mode });
}

/** Makes each entry of `original` visible in `target` by a symbolic link. */
function linkAll(original: string, target: string): void {
  for (const name of readdirSync(original)) symlinkSync(path.join(original, name), path.join(target, name));
}

/** Turns a link to one of the machine's directories into a directory of links, so that files can be added and replaced. */
function makeReal(directory: string): void {
  const parent = path.dirname(directory);
  if (parent !== directory && directory.startsWith(`${PRIVATE}/`)) makeReal(parent);
  if (isSymbolicLink(directory)) {
    const original = path.join(ORIGINAL, path.relative(PRIVATE, directory));
    unlinkSync(directory);
    mkdirSync(directory);
    if (statSync(original).isDirectory()) linkAll(original, directory);
  } else if (!existsSync(directory)) mkdirSync(directory, { recursive: true });
}

function isSymbolicLink(file: string): boolean {
  return readdirSync(path.dirname(file), { withFileTypes: true }).some(
    (entry) => entry.name === path.basename(file) && entry.isSymbolicLink(),
  );
}
