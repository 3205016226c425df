/** Reading configuration files from disk: whole files, and paths by pattern as glob(3) finds them. */
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";

/** A system call that failed. */
export interface FailedCall {
  readonly call: string;
  readonly errno: number;
}

const bytes = (path: string): Buffer => Buffer.from(path, "latin1");

/** The bytes of a file, or which call failed. Paths are byte strings. */
export function readConfigFile(path: string): Uint8Array | FailedCall {
  let fd = -1;
  let call = "open()";
  try {
    fd = openSync(bytes(path), "r");
    call = "read()";
    if (fstatSync(fd).isDirectory()) return { call, errno: 21 };
    return readFileSync(fd);
  } catch (error) {
    const { errno } = error as { errno?: number };
    if (errno === undefined) throw error;
    return { call, errno: -errno };
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

/** True when the first file was modified before the second one, in whole seconds. */
export function isOlder(path: string, than: string): boolean {
  const time = (file: string): number =>
    Math.floor((statSync(bytes(file), { throwIfNoEntry: false })?.mtimeMs ?? 0) / 1000);
  return time(path) < time(than);
}

/** Puts a file in the place of an older one, in one step. Throws a system error. */
export function replaceFile(path: string, content: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(bytes(temporary), content);
  renameSync(bytes(temporary), bytes(path));
}

/** Existing paths that match a pattern of `*`, `?` and `[…]`, sorted by bytes; names that begin with a dot only when asked for. */
export function findPaths(pattern: string): readonly string[] {
  const isAbsolute = pattern.startsWith("/");
  let found = [isAbsolute ? "/" : ""];
  const parts = pattern.split("/").filter((part) => part !== "");
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    found = found.flatMap((folder) => {
      const names = /[*?[]/.test(part) ? namesIn(folder).filter(matcher(part)) : [part.replace(/\\(.)/g, "$1")];
      return names
        .map((name) => folder + name)
        .filter(exists)
        .map((path) => (isLast ? path : `${path}/`));
    });
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(bytes(folder === "" ? "." : folder), { encoding: "latin1" });
  } catch {
    return []; // a folder that is missing or closed to us matches nothing: so does glob(3)
  }
}

function exists(path: string): boolean {
  try {
    return statSync(bytes(path), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // not ours to see
  }
}

function matcher(pattern: string): (name: string) => boolean {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string;
    if (character === "*") source += ".*";
    else if (character === "?") source += ".";
    else if (character === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) source += "\\[";
      else {
        const inside = pattern.slice(i + 1, end).replace(/\\/g, "\\\\");
        source += `[${inside.replace(/^[!^]/, "^")}]`;
        i = end;
      }
    } else {
      const literal = character === "\\" ? (pattern[++i] ?? "\\") : character;
      source += literal.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    }
  }
  const expression = new RegExp(`^${source}$`, "s");
  return (name) => (name.startsWith(".") ? pattern.startsWith(".") && expression.test(name) : expression.test(name));
}
