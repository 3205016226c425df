/** The main file and all that it includes → one tree. Files are read through a port; nothing is bound here. */
import { type Bytes, latin1 } from "../../base/bytes.ts";
import type { Position } from "../diagnostics.ts";
import type { Directive, Source } from "../directive.ts";
import { decodeGeoBase, type GeoBase } from "../geo-base.ts";
import { parse } from "./parser.ts";

/** Reads configuration files. Paths are byte strings, as all configuration text is (ISO 8859-1). */
export interface ConfigReader {
  /** The whole file, or the system error: `{ errno: 2, text: "No such file or directory", call: "open()" }`. */
  read(path: string): Bytes | ReadError;
  /** Existing paths that match, sorted as glob(3) does; empty when none does. */
  glob(pattern: string): readonly string[];
  /** Under which name an absolute path is read and spoken of; the path itself where this is missing. */
  locate?(path: string): string;
  /** The binary base of a file that `geo` includes, undefined without one. Where this is missing nothing has a base. */
  readBase?(path: string): BaseFile | undefined;
}

/** FILE.bin as it lies beside FILE. */
export interface BaseFile {
  readonly bytes: Bytes;
  /** FILE is newer. */
  readonly isStale: boolean;
}

/** A system error, for nginx's `open() "/path" failed (2: No such file or directory)`. */
export interface ReadError {
  readonly call: string;
  readonly errno: number;
  readonly text: string;
}

/** Includes within includes: a file that includes itself must end somewhere. */
export const MAX_INCLUDE_DEPTH = 64;
const ENOENT = 2;
/** Files of one configuration, every inclusion counted. */
export const MAX_FILES = 10_000;

/** Loads `file` (an absolute path) with its includes, which are relative to the folder of `file`. */
export function load(file: string, reader: ConfigReader): Source {
  return new Loader(reader, folderOf(file)).load(file, undefined, OUTERMOST);
}

/** A parsed text (that of `-g`) with what its includes bring. Relative names begin at `prefix`, which ends with a slash. */
export function withIncludes(source: Source, reader: ConfigReader, prefix: string): Source {
  return new Loader(reader, prefix).expand(source, OUTERMOST);
}

/** The path with its last slash, or nothing: nginx's prefix of a configuration file. */
export function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}

/** Every file of a loaded tree, each once, in the order of reading: what `nginx -T` prints. */
export function sourcesOf(source: Source): Source[] {
  const seen = new Map<string, Source>();
  const visitSource = (found: Source): void => {
    if (!seen.has(found.file) && found.text !== undefined) seen.set(found.file, found);
    visit(found.directives);
  };
  const visit = (directives: readonly Directive[]): void => {
    for (const directive of directives) {
      directive.sources?.forEach(visitSource);
      if (directive.block !== undefined) visit(directive.block.directives);
    }
  };
  visitSource(source);
  return [...seen.values()];
}

/** How deep a file stands. */
interface Depth {
  readonly includes: number;
  readonly blocks: number;
  /** The block around is an upstream. */
  readonly isUpstream: boolean;
  /** The block around is a `geo`: whether `ranges` has been read in it. */
  readonly geo?: { hasRanges: boolean } | undefined;
}

const OUTERMOST: Depth = { includes: 0, blocks: 0, isUpstream: false };

function readBase(file: string, { bytes, isStale }: BaseFile): GeoBase {
  if (isStale) return { file, fault: "stale" };
  const decoded = decodeGeoBase(bytes);
  return decoded.ok ? { file, pieces: decoded.value } : { file, fault: decoded.reason };
}

class Loader {
  readonly #reader: ConfigReader;
  readonly #prefix: string;
  /** What was parsed, by its file and depth: a large table may be included several times. */
  readonly #parsed = new Map<string, Source>();
  readonly #bases = new Map<string, GeoBase | undefined>();
  #files = 0;

  constructor(reader: ConfigReader, prefix: string) {
    this.#reader = reader;
    this.#prefix = prefix;
  }

  load(file: string, includedAt: Position | undefined, depth: Depth): Source {
    const refuse = (message: string): Source => {
      const fault = { severity: "emerg" as const, message };
      return {
        file,
        directives: [],
        fault: includedAt === undefined ? fault : { ...fault, position: includedAt },
      };
    };
    if (depth.includes > MAX_INCLUDE_DEPTH)
      return refuse(`more than ${MAX_INCLUDE_DEPTH} nested includes of "${file}"`);
    if (++this.#files > MAX_FILES) return refuse(`more than ${MAX_FILES} files`);
    const base = depth.geo?.hasRanges === true ? this.#baseOf(file) : undefined;
    if (base?.pieces !== undefined) return { file: base.file, directives: [], base };
    const source = this.#parse(file, depth.blocks);
    if ("errno" in source) return refuse(`${source.call} "${file}" failed (${source.errno}: ${source.text})`);
    const expanded = this.expand(source, depth);
    return base === undefined ? expanded : { ...expanded, base };
  }

  #parse(file: string, blocks: number): Source | ReadError {
    const key = `${blocks} ${file}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) return known;
    const bytes = this.#reader.read(file);
    if ("errno" in bytes) return bytes;
    const source = parse(latin1(bytes), { file, outerDepth: blocks });
    this.#parsed.set(key, source);
    return source;
  }

  #baseOf(file: string): GeoBase | undefined {
    if (this.#bases.has(file)) return this.#bases.get(file);
    const found = this.#reader.readBase?.(file);
    const base = found === undefined ? undefined : readBase(`${file}.bin`, found);
    this.#bases.set(file, base);
    return base;
  }

  expand(source: Source, depth: Depth): Source {
    return { ...source, directives: this.#expand(source.directives, depth) };
  }

  #expand(directives: readonly Directive[], depth: Depth): readonly Directive[] {
    return directives.map((directive) => {
      if (directive.block !== undefined) {
        const { block, name } = directive;
        const geo = name === "geo" ? { hasRanges: false } : undefined;
        const inner = { ...depth, blocks: depth.blocks + 1, isUpstream: name === "upstream", geo };
        return { ...directive, block: { ...block, directives: this.#expand(block.directives, inner) } };
      }
      if (depth.geo !== undefined && directive.name === "ranges") depth.geo.hasRanges = true;
      const [pattern, ...rest] = directive.args;
      if (pattern === undefined || rest.length > 0) return directive;
      const full = pattern.text.startsWith("/")
        ? (this.#reader.locate?.(pattern.text) ?? pattern.text)
        : this.#prefix + pattern.text;
      if (directive.name === "state" && depth.isUpstream) return this.#withState(directive, full, depth);
      if (directive.name !== "include") return directive;
      const isPattern = /[*?[]/.test(full);
      const files = isPattern ? this.#reader.glob(full) : [full];
      // Only a file that is included by its name may have a base.
      const inner = { ...depth, includes: depth.includes + 1, geo: isPattern ? undefined : depth.geo };
      return { ...directive, sources: files.map((file) => this.load(file, directive.end, inner)) };
    });
  }

  /** The servers of an upstream in a file of their own, which need not be there yet. */
  #withState(directive: Directive, file: string, depth: Depth): Directive {
    const found = this.#reader.read(file);
    if ("errno" in found && found.errno === ENOENT) return { ...directive, sources: [] };
    return { ...directive, sources: [this.load(file, directive.end, { ...depth, includes: depth.includes + 1 })] };
  }
}
