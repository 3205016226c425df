/** Directives of the http core about files: how they are read and sent, and how long they stay open. nginx: ngx_http_core_module. */
import type { ConfOf, Use } from "../conf/slot.ts";
import { flag, num, offset, raw, sec, size } from "../conf/slots.ts";
import { constantOf, type Template } from "../conf/template.ts";
import { parseNumber, parseOffset, parseSec, parseSize } from "../conf/units.ts";
import type { FileCacheLine, FileUse, OpenFileCacheSettings } from "./open-files.ts";

const EVERYWHERE = "http, server, location";
/** Smaller files are read at once anyway. nginx: NGX_MIN_READ_AHEAD. */
const MIN_READ_AHEAD_BYTES = 128 * 1024;

function parseFileCache(use: Use): FileCacheLine | "off" | undefined {
  let max = 0;
  let inactiveS = 60;
  let isOff = false;
  for (const word of use.args) {
    if (word === "off") {
      isOff = true;
      continue;
    }
    const [name, value = ""] = word.split("=", 2) as [string, string?];
    const parsed = name === "max" ? parseNumber(value) : name === "inactive" ? parseSec(value) : undefined;
    if (parsed === undefined || (name === "max" && parsed === 0))
      return use.fail(`invalid "open_file_cache" parameter "${word}"`);
    if (name === "max") max = parsed;
    else inactiveS = parsed;
  }
  if (isOff) return "off";
  if (max === 0) return use.fail('"open_file_cache" must have the "max" parameter');
  return { max, inactiveMs: inactiveS * 1000 };
}

/** `aio`: with `threads`, the pool's name. */
export type Aio = "off" | "on" | { readonly pool: Template | undefined };

function parseAio(use: Use): Aio | undefined {
  const word = use.args[0] as string;
  if (word === "off" || word === "on") return word;
  if (word === "threads") return { pool: undefined };
  if (!word.startsWith("threads=")) return use.invalid("invalid value");
  const pool = use.template(word.slice("threads=".length));
  return pool === undefined ? undefined : { pool };
}

/** The pool that a location names in its own words; undefined when there is none, or a request names it. */
export function namedPool(aio: Aio | undefined): string | undefined {
  return typeof aio === "object" && aio.pool !== undefined ? constantOf(aio.pool) : undefined;
}

function parseDirectIo(use: Use): number | undefined {
  const word = use.args[0] as string;
  if (word === "off") return Number.POSITIVE_INFINITY;
  return parseOffset(word) ?? use.invalid("invalid value");
}

function parseOutputBuffers(use: Use): { readonly number: number; readonly size: number } | undefined {
  const number = parseNumber(use.args[0] as string);
  const bufferSize = parseSize(use.args[1] as string);
  return number === undefined || bufferSize === undefined || number * bufferSize === 0
    ? use.invalid("invalid value")
    : { number, size: bufferSize };
}

/** A part of what the http core declares. */
export const fileDirectives = {
  sendfile: flag(false, {
    in: `${EVERYWHERE}, if in location`,
    doc: "Sends files without copying them through the worker.",
  }),
  sendfile_max_chunk: size("2m", { doc: "Bytes of a file sent in one go; 0 for any." }),
  aio: raw<Aio, "off">("off", parseAio, {
    syntax: "on | off | threads[=pool]",
    defaultText: "off",
    doc: "Accepted without effect: files are read synchronously.",
  }),
  aio_write: flag(false, { doc: "Accepted without effect: temporary files are written synchronously." }),
  read_ahead: size("0", {
    doc: "Has the kernel read files larger than 128 KB ahead, however much is said here; 0 for no.",
  }),
  directio: raw<number, number>(Number.POSITIVE_INFINITY, parseDirectIo, {
    syntax: "size | off",
    defaultText: "off",
    doc: "Reads files of this size and larger past the page cache (O_DIRECT), without sendfile.",
  }),
  directio_alignment: offset("512", {
    doc: "Accepted without effect: a piece that can't be read directly, whatever the file system asks for, is read as usual.",
  }),
  output_buffers: raw({ number: 2, size: 32768 }, parseOutputBuffers, {
    args: 2,
    syntax: "number size",
    defaultText: "2 32k",
    doc: "Accepted without effect: files are read into the worker's output memory.",
  }),
  open_file_cache: raw<FileCacheLine | "off", "off">("off", parseFileCache, {
    args: [1, 2],
    syntax: "off | max=N [inactive=time]",
    defaultText: "off",
    doc: "Keeps files open between requests.",
  }),
  open_file_cache_valid: sec("60s", { doc: "Time after which a kept file is looked at again." }),
  open_file_cache_min_uses: num(1, { doc: "Uses that keep a file's descriptor open." }),
  open_file_cache_errors: flag(false, { doc: "Remembers missing files too." }),
  open_file_cache_events: flag(false, {
    doc: "Accepted without effect, as in nginx with epoll: kept files are looked at again when `open_file_cache_valid` is over.",
  }),
};

type FileConf = ConfOf<typeof fileDirectives>;

/** The merged settings of the file cache, undefined when it is off. */
export function fileCacheOf(conf: FileConf): OpenFileCacheSettings | undefined {
  const line = conf.open_file_cache;
  if (line === "off") return undefined;
  return {
    line,
    validMs: conf.open_file_cache_valid * 1000,
    minUses: conf.open_file_cache_min_uses,
    errors: conf.open_file_cache_errors,
  };
}

/** What is done with a file once it is open; undefined when nothing is. */
export function fileUseOf({ read_ahead: ahead, directio: direct }: FileConf): FileUse | undefined {
  if (ahead === 0 && direct === Number.POSITIVE_INFINITY) return undefined;
  return { readAheadAbove: ahead === 0 ? Number.POSITIVE_INFINITY : MIN_READ_AHEAD_BYTES, directFrom: direct };
}
