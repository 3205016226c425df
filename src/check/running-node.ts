/** Files of a running node, as it has sent them (process/node-files.ts), for whoever reads configurations: those of a partner under its name. */
import { fromLatin1, fromUtf8, latin1 } from "../base/bytes.ts";
import { type HostLookup, type IpAddress, parseIp } from "../base/ip.ts";
import type { ConfigReader } from "../conf/nginx/load.ts";
import type { NodeFiles } from "../process/node-files.ts";

const ENOENT = 2;

/** What is called so in findings, behind a colon: `lb-b:/etc/nginx/nginx.conf`. */
const LABEL = /^[\w.-]+:(?=\/)/;

/** The path without the name of its node. */
export function withoutLabel(path: string): string {
  return path.replace(LABEL, "");
}

export interface RunningNodeReader extends ConfigReader {
  readonly lookUp: HostLookup;
  /** A path of the node, under its name. */
  locate(path: string): string;
}

/** A name that paths can begin with. */
export function labelOf(node: string): string {
  return node.replace(/[^\w.-]/g, "_") || "partner";
}

/** `label` undefined: this node, whose paths stand for themselves. */
export function readerOfNode(files: NodeFiles, label: string | undefined): RunningNodeReader {
  const prefix = label === undefined ? "" : latin1(fromUtf8(`${label}:`));
  const strip = (path: string): string => (path.startsWith(prefix) ? path.slice(prefix.length) : path);
  const locate = (path: string): string => (path.startsWith(prefix) || !path.startsWith("/") ? path : prefix + path);
  return {
    locate,
    read: (path) => {
      const text = own(files.texts, strip(path));
      return text === undefined
        ? { call: "open()", errno: ENOENT, text: "No such file or directory" }
        : fromLatin1(text);
    },
    glob: (pattern) => {
      const path = strip(pattern);
      return (own(files.globs, path) ?? (own(files.texts, path) === undefined ? [] : [path])).map(locate);
    },
    lookUp: (name) => {
      const addresses = (own(files.hosts, name) ?? []).flatMap((text) => {
        const address: IpAddress | undefined = parseIp(text);
        return address === undefined ? [] : [address];
      });
      return addresses.length === 0 ? undefined : addresses;
    },
  };
}

/** Names of the tables are somebody else's. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
