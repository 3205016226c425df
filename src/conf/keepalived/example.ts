/** Readers and nodes made of tables, for tests and for everybody who checks text that is in no file. */
import { fromUtf8 } from "../../base/bytes.ts";
import type { ConfigReader } from "../nginx/load.ts";
import type { Machine, ScriptState } from "./machine.ts";

/** Files by path. A pattern may hold `*`, which stands for anything but a slash. */
export function readerOf(files: Readonly<Record<string, string>>): ConfigReader {
  return {
    read: (path) =>
      Object.hasOwn(files, path)
        ? fromUtf8(files[path] as string)
        : { call: "open()", errno: 2, text: "No such file or directory" },
    glob: (pattern) => {
      const expression = new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, "[^/]*")}$`);
      return Object.keys(files)
        .filter((path) => expression.test(path))
        .sort();
    },
  };
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
