/** Listings of directories as HTML, JSON, JSONP or XML. nginx: ngx_http_autoindex_module. */

import type { ConfOf } from "../../conf/slot.ts";
import { choice, flag } from "../../conf/slots.ts";
import { emptyFileInfo, type FileInfo } from "../../io/files.ts";
import { printHttpDate, printIsoTime, printListingTime } from "../../wire/http1/date.ts";
import { GET, HEAD } from "../../wire/http1/methods.ts";
import { escapeHtml, escapeUri, findArg } from "../../wire/http1/uri.ts";
import { utf8Offsets } from "../../wire/http1/utf8.ts";
import { LAST, textChunk } from "../body.ts";
import { discardBody, sendBody, sendHeader } from "../engine.ts";
import { httpModule } from "../module.ts";
import { DECLINED, OK } from "../outcome.ts";
import { mapPath } from "../paths.ts";
import type { Request } from "../request.ts";

/** Columns of a name in the HTML listing. */
const NAME_COLUMNS = 50;
const MAX_CALLBACK = 128;

const directives = {
  autoindex: flag(false, { doc: "Lists directories without an index file." }),
  autoindex_format: choice("html", ["html", "json", "jsonp", "xml"], { doc: "Format of a listing." }),
  autoindex_localtime: flag(false, { doc: "Shows local time instead of UTC." }),
  autoindex_exact_size: flag(true, { doc: "Shows sizes in bytes." }),
};
type Conf = ConfOf<typeof directives>;

interface Entry {
  readonly name: string;
  readonly kind: "directory" | "file" | "other";
  readonly sizeBytes: number;
  readonly mtimeS: number;
}

const TYPES = {
  html: "text/html",
  json: "application/json",
  jsonp: "application/javascript",
  xml: "text/xml",
} as const;

function readEntries(request: Request, path: string): readonly Entry[] | number {
  const { files } = request.connection.worker.ports;
  const names = files.list(path);
  if (typeof names === "number") return names;
  const info: FileInfo = emptyFileInfo();
  const entries: Entry[] = [];
  for (const { name } of names) {
    if (name.startsWith(".")) continue;
    const full = `${path}/${name}`;
    // A link that leads nowhere is listed as what it is.
    if (files.stat(full, info) < 0 && files.statLink(full, info) < 0) continue;
    const kind = info.isDirectory ? "directory" : info.isFile ? "file" : "other";
    entries.push({ name, kind, sizeBytes: info.sizeBytes, mtimeS: info.mtimeS });
  }
  const rank = ({ kind }: Entry): number => (kind === "directory" ? 0 : 1);
  return entries.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function shortSize(size: number): string {
  const rounded = (unit: number, scale: string): string => String(Math.round(size / unit)).padStart(6) + scale;
  if (size > 1024 ** 3 - 1) return rounded(1024 ** 3, "G");
  if (size > 1024 ** 2 - 1) return rounded(1024 ** 2, "M");
  return size > 9999 ? rounded(1024, "K") : ` ${String(size).padStart(6)}`;
}

/** The name in its column; what is too long for it is cut, by characters where `isUtf8`. */
function labelOf(name: string, slash: string, isUtf8: boolean): string {
  const offsets = isUtf8 ? utf8Offsets(name) : undefined;
  const columns = offsets === undefined ? name.length : offsets.length - 1;
  if (columns > NAME_COLUMNS) {
    const end = NAME_COLUMNS - 3;
    return `${escapeHtml(name.slice(0, offsets?.[end] ?? end))}..&gt;</a>`;
  }
  const shown = columns < NAME_COLUMNS ? slash : "";
  return `${escapeHtml(name)}${shown}</a>${" ".repeat(NAME_COLUMNS - columns - shown.length)}`;
}

interface Look {
  readonly conf: Conf;
  readonly isUtf8: boolean;
  readonly offset: (epochS: number) => number;
}

function htmlLine({ name, kind, sizeBytes, mtimeS }: Entry, { conf, isUtf8, offset }: Look): string {
  const directory = kind === "directory";
  const slash = directory ? "/" : "";
  const label = labelOf(name, slash, isUtf8);
  const time = printListingTime(mtimeS, conf.autoindex_localtime ? offset(mtimeS) : 0);
  const columns = conf.autoindex_exact_size ? 19 : 7;
  const plain = conf.autoindex_exact_size ? String(sizeBytes).padStart(19) : shortSize(sizeBytes);
  return `<a href="${escapeUri(name, "uriComponent")}${slash}">${label} ${time} ${directory ? "-".padStart(columns) : plain}\r\n`;
}

function html(request: Request, entries: readonly Entry[], conf: Conf): string {
  const title = escapeHtml(request.uri);
  const { timezoneOffset } = request.connection.worker.ports;
  const look = { conf, isUtf8: request.charset.toLowerCase() === "utf-8", offset: timezoneOffset };
  return (
    `<html>\r\n<head><title>Index of ${title}</title></head>\r\n<body>\r\n<h1>Index of ${title}</h1>` +
    '<hr><pre><a href="../">../</a>\r\n' +
    entries.map((entry) => htmlLine(entry, look)).join("") +
    "</pre><hr></body>\r\n</html>\r\n"
  );
}

function jsonText(text: string): string {
  return text.replace(/[\x00-\x1f"\\]/g, (character) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\" }[
      character
    ];
    return short ?? `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

function json(entries: readonly Entry[], callback: string): string {
  const items = entries.map(({ name, kind, sizeBytes, mtimeS }) => {
    const size = kind === "file" ? `, "size":${sizeBytes}` : "";
    return `\r\n{ "name":"${jsonText(name)}", "type":"${kind}", "mtime":"${printHttpDate(mtimeS)}"${size} }`;
  });
  const list = `[${items.join(",")}\r\n]`;
  return callback === "" ? list : `/* callback */\r\n${callback}(${list});`;
}

function xml(entries: readonly Entry[]): string {
  const items = entries.map(({ name, kind, sizeBytes, mtimeS }) => {
    const size = kind === "file" ? ` size="${sizeBytes}"` : "";
    const time = printIsoTime(mtimeS, 0).replace("+00:00", "Z");
    return `<${kind} mtime="${time}"${size}>${escapeHtml(name)}</${kind}>\r\n`;
  });
  return `<?xml version="1.0"?>\r\n<list>\r\n${items.join("")}</list>\r\n`;
}

/** The name of the JSONP function; undefined when the client sent an impossible one. */
function callbackOf(request: Request): string | undefined {
  const callback = findArg(request.args, "callback") ?? "";
  if (callback.length > MAX_CALLBACK) {
    request.connection.logError("info", `client sent too long callback name: "${callback}"`);
    return undefined;
  }
  if (/^[A-Za-z0-9_.]*$/.test(callback)) return callback;
  request.connection.logError("info", `client sent invalid callback name: "${callback}"`);
  return undefined;
}

function openFailed(request: Request, path: string, errno: number): number {
  const missing = errno === 2 || errno === 20 || errno === 36;
  const level = missing || errno === 13 ? "error" : "crit";
  request.connection.logError(level, `opendir() "${path}" failed`, errno);
  return missing ? 404 : errno === 13 ? 403 : 500;
}

function serve(request: Request, conf: Conf): number {
  if (!request.uri.endsWith("/") || (request.method !== GET && request.method !== HEAD)) return DECLINED;
  if (!discardBody(request)) return 400;
  let path = mapPath(request, request.uri);
  if (path === undefined) return 500;
  if (path.length > 1) path = path.slice(0, -1);
  const callback = conf.autoindex_format === "jsonp" ? callbackOf(request) : "";
  if (callback === undefined) return 400;
  const entries = readEntries(request, path);
  if (typeof entries === "number") return openFailed(request, path, -entries);
  const format = conf.autoindex_format === "jsonp" && callback === "" ? "json" : conf.autoindex_format;
  request.status = 200;
  request.contentType = TYPES[format];
  request.charset = format === "xml" ? "utf-8" : "";
  const rc = sendHeader(request);
  if (rc !== OK || request.headerOnly) return rc;
  const text =
    format === "html" ? html(request, entries, conf) : format === "xml" ? xml(entries) : json(entries, callback);
  sendBody(request, [textChunk(text)], LAST);
  return OK;
}

export const autoindex = httpModule({
  name: "autoindex",
  contexts: "http, server, location",
  directives,
  phases: { content: (conf) => (conf.autoindex ? (request) => serve(request, conf) : undefined) },
});
