/**
 * The head of a proxied request: request line, Host, the lines that the configuration sets, then those of the client that
 * it does not. Compiled once per location; bytes of the client's head are copied as they are. nginx: ngx_http_proxy_create_request.
 */
import { constantOf, literal, type Template } from "../conf/template.ts";
import { type FieldTable, fieldTable, findField, KNOWN_FIELDS } from "../wire/http1/fields.ts";
import { HEAD } from "../wire/http1/methods.ts";
import { FIELD_STRIDE, type RequestHead } from "../wire/http1/request-head.ts";
import { escapeUri } from "../wire/http1/uri.ts";
import { type Block, blockOf } from "../wire/http1/words.ts";
import type { Place } from "./module.ts";
import type { Output } from "./output.ts";
import type { Request } from "./request.ts";
import type { Upload } from "./upload.ts";
import type { Target } from "./upstream-rules.ts";
import type { Text } from "./variables.ts";

/** One `proxy_set_header`. */
export interface SetHeader {
  readonly name: string;
  readonly value: Template;
}

/** Lines of the client that never go through as they are; the values are templates that take their place. */
const STANDARD: readonly (readonly [name: string, value: "" | "length" | "chunked"])[] = [
  ["Host", ""],
  ["Connection", ""],
  ["Proxy-Connection", ""],
  ["Content-Length", "length"],
  ["Transfer-Encoding", "chunked"],
  ["TE", ""],
  ["Keep-Alive", ""],
  ["Expect", ""],
  ["Upgrade", ""],
];

function variable(name: string): Template {
  return { text: `$${name}`, parts: [{ kind: "variable", name }] };
}

/** What an answer for a cache must not depend on is asked for without; what is old is asked about. nginx: ngx_http_proxy_cache_headers. */
const OF_CACHE: readonly (readonly [name: string, value: Template])[] = [
  ["If-Modified-Since", variable("upstream_cache_last_modified")],
  ["If-Unmodified-Since", literal("")],
  ["If-None-Match", variable("upstream_cache_etag")],
  ["If-Match", literal("")],
  ["Range", literal("")],
  ["If-Range", literal("")],
];

/** The lines of a request whose answer a cache may keep: those of the configuration, and its own. */
export function cacheHeaders(headers: readonly SetHeader[]): readonly SetHeader[] {
  const names = new Set(headers.map(({ name }) => name.toLowerCase()));
  const own = OF_CACHE.filter(([name]) => !names.has(name.toLowerCase()));
  return [...headers, ...own.map(([name, value]) => ({ name, value }))];
}

/** Room for spaces, the version, line ends, lengths. */
const FIXED_BYTES = 128;
const CR = 0x0d;
const LF = 0x0a;
/** `findField` knows no longer names. */
const LONGEST_TABLE_NAME = 31;

/** A line whose value each request has its own of, behind lines that are always the same. */
interface Line {
  readonly constant: Block;
  readonly prefix: Block;
  readonly value: Text;
}

/** The lines in their order, and what stands behind the last of them. */
function compileLines(headers: readonly SetHeader[], place: Place): { readonly lines: Line[]; readonly last: Block } {
  const lines: Line[] = [];
  let constant = "";
  for (const { name, value } of headers) {
    const text = constantOf(value);
    if (text === "") continue;
    if (text !== undefined) constant += `${name}: ${text}\r\n`;
    else {
      lines.push({ constant: blockOf(constant), prefix: blockOf(`${name}: `), value: place.compile(value) });
      constant = "";
    }
  }
  return { lines, last: blockOf(constant) };
}

const LINE_END = blockOf("\r\n");
const HOST = blockOf("Host: ");
const HTTP_11 = blockOf(" HTTP/1.1\r\n");
const HTTP_10 = blockOf(" HTTP/1.0\r\n");

export interface ProxyRequestOptions {
  readonly headers: readonly SetHeader[];
  readonly method: Template | undefined;
  readonly body: Template | undefined;
  readonly http11: boolean;
  readonly passHeaders: boolean;
  readonly passBody: boolean;
  /** HEAD becomes GET where the cache wants it so. */
  readonly convertsHead: boolean;
}

export class ProxyRequest {
  private readonly method: Text | undefined;
  private readonly host: Text | undefined;
  private readonly lines: readonly Line[];
  private readonly lastLines: Block;
  private readonly body: Text | undefined;
  private readonly http11: boolean;
  private readonly passHeaders: boolean;
  private readonly convertsHead: boolean;
  private readonly sendsLength: boolean;
  private readonly sendsCoding: boolean;
  readonly sendsBody: boolean;
  /** Of all that `lines` has beside the values. */
  private readonly constantBytes: number;
  /** Known fields, and other names, that the client's lines with them are left out for. */
  private readonly skipKnown: Uint8Array;
  private readonly skipNames: FieldTable;
  private readonly skipLong: ReadonlySet<string>;
  // What `prepare` has made for the `write` that follows at once.
  private methodText = "";
  private uri = "";
  private hostText = "";
  private lengthText = "";
  private isChunked = false;
  private bodyText = "";
  private readonly values: string[] = [];

  constructor(options: ProxyRequestOptions, place: Place) {
    const compile = (template: Template | undefined): Text | undefined =>
      template === undefined ? undefined : place.compile(template);
    this.method = compile(options.method);
    this.body = compile(options.body);
    this.http11 = options.http11;
    this.passHeaders = options.passHeaders;
    this.convertsHead = options.convertsHead;
    this.sendsBody = options.passBody && options.body === undefined;
    const isHost = ({ name }: SetHeader): boolean => name.toLowerCase() === "host";
    this.host = compile(options.headers.findLast(isHost)?.value);
    const own = options.headers.filter((header) => !isHost(header));
    const names = new Set(own.map(({ name }) => name.toLowerCase()));
    this.sendsLength = !names.has("content-length");
    this.sendsCoding = !names.has("transfer-encoding");
    for (const [name] of STANDARD) names.add(name.toLowerCase());
    const { lines, last } = compileLines(own, place);
    this.lines = lines;
    this.lastLines = last;
    this.constantBytes = lines.reduce(
      (sum, { constant, prefix }) => sum + constant.length + prefix.length,
      last.length,
    );
    this.skipKnown = Uint8Array.from(KNOWN_FIELDS, (name) => (names.has(name) ? 1 : 0));
    const others = [...names].filter((name) => !(KNOWN_FIELDS as readonly string[]).includes(name));
    this.skipNames = fieldTable(others.filter((name) => name.length <= LONGEST_TABLE_NAME));
    this.skipLong = new Set(others.filter((name) => name.length > LONGEST_TABLE_NAME));
  }

  /** The method that the upstream sees. */
  methodOf(request: Request): string {
    if (this.convertsHead && request.exchange?.cache?.convertsHead === true) return "GET";
    return this.method === undefined ? request.methodName : this.method(request);
  }

  /** The answer will have no body. */
  isHead(request: Request): boolean {
    if (this.convertsHead && request.exchange?.cache?.convertsHead === true) return false;
    return this.method === undefined ? request.method === HEAD : this.method(request).toUpperCase() === "HEAD";
  }

  /** Makes the texts; the bytes that all needs at most. */
  prepare(request: Request, uri: string, target: Target): number {
    const { head } = request;
    this.methodText = this.methodOf(request);
    this.uri = uri;
    let host = this.host?.(request);
    if (host === undefined || (host === "" && this.http11)) host = target.hostHeader;
    this.hostText = host;
    this.bodyText = this.body === undefined ? "" : this.body(request);
    const upload = request.exchange?.upload;
    this.isChunked = upload?.chunked === true && this.sendsCoding;
    const length = this.sendsLength ? this.lengthOf(request, upload) : -1;
    this.lengthText = length < 0 ? "" : String(length);
    let size = FIXED_BYTES + this.methodText.length + uri.length + host.length + head.scanned + 2 * head.fieldCount;
    size += this.bodyText.length + this.constantBytes;
    const { lines, values } = this;
    for (let i = 0; i < lines.length; i++) {
      const text = (lines[i] as Line).value(request);
      values[i] = text;
      size += text.length + LINE_END.length;
    }
    return size;
  }

  /** What `Content-Length` says, -1 for nothing. A chunked body that has been read whole has a known length. */
  private lengthOf(request: Request, upload: Upload | undefined): number {
    if (this.body !== undefined) return this.bodyText.length;
    if (upload !== undefined) return upload.chunked ? -1 : request.contentLength;
    if (request.body !== undefined) return request.body.length;
    return request.bodyDiscarded ? 0 : request.contentLength;
  }

  write(request: Request, output: Output): void {
    output.text(this.methodText);
    output.text(" ");
    output.text(this.uri);
    output.block(this.http11 ? HTTP_11 : HTTP_10);
    if (this.hostText !== "") {
      output.block(HOST);
      output.text(this.hostText);
      output.block(LINE_END);
    }
    const { lines, values } = this;
    for (let i = 0; i < lines.length; i++) {
      const { constant, prefix } = lines[i] as Line;
      output.block(constant);
      const value = values[i] as string;
      if (value === "") continue;
      output.block(prefix);
      output.text(value);
      output.block(LINE_END);
    }
    output.block(this.lastLines);
    if (this.lengthText !== "") {
      output.text("Content-Length: ");
      output.text(this.lengthText);
      output.text("\r\n");
    }
    if (this.isChunked) output.text("Transfer-Encoding: chunked\r\n");
    if (this.passHeaders) this.copyFields(request.head, output);
    output.text("\r\n");
    if (this.bodyText !== "") output.text(this.bodyText);
  }

  /** Lines that are written as we would write them are copied together with their neighbours. */
  private copyFields(head: RequestHead, output: Output): void {
    const { bytes, base, fields, fieldCount } = head;
    let runStart = 0;
    let runEnd = 0;
    for (let at = 0; at < fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
      const nameStart = base + (fields[at] as number);
      const nameEnd = base + (fields[at + 1] as number);
      const field = fields[at + 4] as number;
      if (field >= 0 ? this.skipKnown[field] === 1 : this.skips(head, nameStart, nameEnd)) continue;
      const valueStart = base + (fields[at + 2] as number);
      const valueEnd = base + (fields[at + 3] as number);
      const tidy = valueStart === nameEnd + 2 && bytes[valueEnd] === CR && bytes[valueEnd + 1] === LF;
      if (tidy && nameStart === runEnd) {
        runEnd = valueEnd + 2;
        continue;
      }
      if (runEnd > runStart) output.copy(bytes, runStart, runEnd);
      runStart = tidy ? nameStart : 0;
      runEnd = tidy ? valueEnd + 2 : 0;
      if (tidy) continue;
      output.copy(bytes, nameStart, nameEnd);
      output.text(": ");
      output.copy(bytes, valueStart, valueEnd);
      output.text("\r\n");
    }
    if (runEnd > runStart) output.copy(bytes, runStart, runEnd);
  }

  private skips(head: RequestHead, start: number, end: number): boolean {
    if (end - start <= LONGEST_TABLE_NAME) return findField(this.skipNames, head.view, start, end) >= 0;
    return this.skipLong.size > 0 && this.skipLong.has(head.text(start - head.base, end - head.base).toLowerCase());
  }
}

/** The URI for the upstream: that of `proxy_pass` in the place of the location's, or the client's. "" is an error. */
export function proxiedUri(request: Request, targetUri: string, replaced: number, computed: boolean): string {
  if (computed && targetUri !== "") return targetUri;
  if (targetUri === "" && request.validUnparsedUri) return request.unparsedUri;
  const { uri, args } = request;
  const skip = request.validLocation && targetUri !== "" ? Math.min(replaced, uri.length) : 0;
  const rest = uri.slice(skip);
  const escaped = request.head.quotedUri || request.internal ? escapeUri(rest, "uri") : rest;
  const path = (request.validLocation ? targetUri : "") + escaped;
  return args === "" ? path : `${path}?${args}`;
}
