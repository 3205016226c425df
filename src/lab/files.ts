/**
 * The user's files of a pair: `DIR/a/…` and `DIR/b/…`, and what lies in DIR itself belongs to both; or one directory for
 * each node. A node sees them in /etc/nginx and in /etc/keepalived.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import type { Edit } from "./edit.ts";
import { NODES, type NodeName, PlanError } from "./plan.ts";
import type { StagedFile } from "./protocol.ts";

/** Both services' files of a node, by path relative to its directory. */
export type NodeFiles = ReadonlyMap<string, { readonly mode: number; readonly bytes: Buffer }>;

/** A pair's files are configurations and a page or two. */
const MAX_FILES = 2000;
const MAX_BYTES = 32 << 20;
export const NGINX_CONF = "nginx.conf";
export const KEEPALIVED_CONF = "keepalived.conf";

/** Reads the files of both nodes from one or two directories. Throws `PlanError`. */
export function readPairFiles(directories: readonly string[]): Readonly<Record<NodeName, NodeFiles>> {
  const [first, second] = directories;
  if (first === undefined || directories.length > 2)
    throw new PlanError("name one directory for the pair, or one for each node");
  const files =
    second === undefined
      ? {
          a: new Map([...readTree(first, NODES), ...readOwn(first, "a")]),
          b: new Map([...readTree(first, NODES), ...readOwn(first, "b")]),
        }
      : { a: readTree(first, []), b: readTree(second, []) };
  for (const node of NODES)
    for (const needed of [NGINX_CONF, KEEPALIVED_CONF])
      if (!files[node].has(needed))
        throw new PlanError(`node ${node} has no ${needed} (${describe(directories, node)})`);
  return files;
}

function describe(directories: readonly string[], node: NodeName): string {
  const [first, second] = directories as readonly [string, string?];
  if (second !== undefined) return `looked in ${node === "a" ? first : second}`;
  return `looked in ${path.join(first, node)} and in ${first}`;
}

function readOwn(directory: string, node: NodeName): NodeFiles {
  const own = path.join(directory, node);
  return statSync(own, { throwIfNoEntry: false })?.isDirectory() ? readTree(own, []) : new Map();
}

/** All files below a directory except those in the top folders named `without`. */
function readTree(directory: string, without: readonly string[]): NodeFiles {
  const files = new Map<string, { mode: number; bytes: Buffer }>();
  let sizeBytes = 0;
  const walk = (relative: string): void => {
    for (const name of readdirSync(path.join(directory, relative)).sort()) {
      if (relative === "" && without.includes(name)) continue;
      const file = path.join(relative, name);
      const stat = statSync(path.join(directory, file));
      if (stat.isDirectory()) walk(file);
      if (!stat.isFile()) continue;
      sizeBytes += stat.size;
      if (files.size >= MAX_FILES || sizeBytes > MAX_BYTES)
        throw new PlanError(
          `${directory} holds more than a pair's files (at most ${MAX_FILES} files of ${MAX_BYTES} bytes)`,
        );
      files.set(file, { mode: stat.mode & 0o777, bytes: readFileSync(path.join(directory, file)) });
    }
  };
  try {
    walk("");
  } catch (error) {
    if (error instanceof PlanError) throw error;
    throw new PlanError(`${directory} can't be read: ${(error as Error).message}`);
  }
  return files;
}

/** A node's files as its agent lays them out, the edits of a scenario applied: by the name of the file. */
export function stageFiles(
  files: NodeFiles,
  shared: NodeFiles,
  edits: Readonly<Record<string, Edit>>,
): readonly StagedFile[] {
  const staged: StagedFile[] = [];
  for (const [name, { mode, bytes }] of new Map([...shared, ...files]))
    for (const directory of ["/etc/nginx", "/etc/keepalived"]) {
      const edit = edits[name];
      // Byte for byte: the files need not be UTF-8.
      const content = edit === undefined ? bytes : Buffer.from(edit(bytes.toString("latin1")), "latin1");
      staged.push({ path: `${directory}/${name}`, mode, base64: content.toString("base64") });
    }
  // nginx keeps its logs here when a configuration names no other place.
  staged.push({ path: "/etc/nginx/logs/error.log", mode: 0o644, base64: "" });
  return staged;
}
