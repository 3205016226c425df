/** Readers and nodes made of tables, for tests and for everybody who checks text that is in no file. */
import { fromUtf8 } from "../../base/bytes.ts";
import type { ConfigReader } from "../nginx/load.ts";
import type { Machine, ScriptState } from "./machine.ts";

/** Files by path. A pattern may hold `*`, which stands for anything but a slash. */
export function readerOf(files: Readonly<Record<string, string>>): ConfigReader {
  const folders = new Set(Object.keys(files).flatMap((path) => foldersOf(path)));
  return {
    read: (path) => {
      if (Object.hasOwn(files, path)) return fromUtf8(files[path] as string);
      return folders.has(path)
        ? { call: "read()", errno: 21, text: "Is a directory" }
        : { call: "open()", errno: 2, text: "No such file or directory" };
    },
    glob: (pattern) => {
      const expression = new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, "[^/]*")}$`);
      return [...Object.keys(files), ...folders].filter((path) => expression.test(path)).sort();
    },
  };
}

/** `/a/b/c` is in `/a/b` and `/a`. */
function foldersOf(path: string): string[] {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? [] : [path.slice(0, slash), ...foldersOf(path.slice(0, slash))];
}

/** A node with these interfaces, the users root and nobody, and scripts whose state is told (else missing). */
export function machineOf(interfaces: readonly string[], scripts: Readonly<Record<string, ScriptState>> = {}): Machine {
  return {
    interfaceState: (name) => (name === "lo" ? "loopback" : interfaces.includes(name) ? "present" : "absent"),
    virtualLinkKind: () => undefined,
    hasUser: (name) => name === "root" || name === "nobody",
    hasGroup: (name) => name === "root" || name === "nogroup",
    scriptState: (path) => scripts[path] ?? "missing",
    isOpenToOthers: (path) => path.includes("open"),
    cpuCount: 2,
  };
}
