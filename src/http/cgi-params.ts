/**
 * The parameters of a request to a gateway: those of `fastcgi_param` and its kin, then the client's header lines as HTTP_…. Compiled
 * once per location. nginx: ngx_http_fastcgi_init_params and the first half of ngx_http_fastcgi_create_request, which scgi and uwsgi repeat.
 */
import type { Bytes } from "../base/bytes.ts";
import type { Slot, Use } from "../conf/slot.ts";
import { list } from "../conf/slots.ts";
import { constantOf, parseTemplate, type Template } from "../conf/template.ts";
import type { PairForm } from "../wire/pairs.ts";
import type { Place } from "./module.ts";
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

/** One `…_param`. */
export interface CgiParam {
  readonly name: string;
  readonly value: Template;
  /** It is left out when its value is empty. */
  readonly ifNotEmpty: boolean;
}

function parseParam(use: Use): CgiParam | undefined {
  const [name = "", text = "", word] = use.args;
  const value = use.template(text);
  if (value === undefined) return undefined;
  if (word !== undefined && word !== "if_not_empty") return use.fail(`invalid parameter "${word}"`);
  return { name, value, ifNotEmpty: word !== undefined };
}

/** The slot of such a directive. */
export function cgiParam(doc: string): Slot<readonly CgiParam[]> {
  return list(parseParam, { args: [2, 3], syntax: "parameter value [if_not_empty]", doc });
}

function standard(name: string, text: string): CgiParam {
  const parsed = parseTemplate(text);
  return { name, value: parsed.ok ? parsed.value : { text: "", parts: [] }, ifNotEmpty: true };
}

const OF_ALL = [standard("HTTP_HOST", "$host$is_request_port$request_port")];
/** What an answer for a cache must not depend on is asked for without; what is old is asked about. */
const OF_CACHE = [
  standard("HTTP_IF_MODIFIED_SINCE", "$upstream_cache_last_modified"),
  standard("HTTP_IF_UNMODIFIED_SINCE", ""),
  standard("HTTP_IF_NONE_MATCH", "$upstream_cache_etag"),
  standard("HTTP_IF_MATCH", ""),
  standard("HTTP_RANGE", ""),
  standard("HTTP_IF_RANGE", ""),
];

const PREFIX = "HTTP_";

interface CompiledParam {
  readonly name: string;
  readonly value: Text;
  readonly ifNotEmpty: boolean;
}

export class CgiParams {
  private readonly params: readonly CompiledParam[];
  /** Names of header lines that are not passed, in capitals with underscores. */
  private readonly replaced: ReadonlySet<string>;
  private readonly passHeaders: boolean;
  // What `collect` has made for the `write` that follows.
  private readonly names: string[] = [];
  private readonly values: string[] = [];

  constructor(
    params: readonly CgiParam[],
    options: { readonly cached: boolean; readonly passHeaders: boolean },
    place: Place,
  ) {
    const known = new Set(params.map(({ name }) => name.toUpperCase()));
    const standards = options.cached ? [...OF_ALL, ...OF_CACHE] : OF_ALL;
    const all = [...params, ...standards.filter(({ name }) => !known.has(name))];
    const isLine = (name: string): boolean => name.startsWith(PREFIX) && name.length > PREFIX.length;
    this.replaced = new Set(all.flatMap(({ name }) => (isLine(name) ? [name.slice(PREFIX.length).toUpperCase()] : [])));
    this.params = all
      .filter(({ name, value }) => !isLine(name) || constantOf(value) !== "")
      .map(({ name, value, ifNotEmpty }) => ({ name, value: place.compile(value), ifNotEmpty }));
    this.passHeaders = options.passHeaders;
  }

  /** Makes the texts of a request; the bytes that all need in this form. */
  collect(request: Request, form: PairForm): number {
    const { names, values } = this;
    names.length = 0;
    values.length = 0;
    for (const { name, value, ifNotEmpty } of this.params) {
      const text = value(request);
      if (ifNotEmpty && text === "") continue;
      names.push(name);
      values.push(text);
    }
    if (this.passHeaders) this.collectLines(request);
    let size = 0;
    for (let i = 0; i < names.length; i++)
      size += form.sizeOf((names[i] as string).length, (values[i] as string).length);
    return size;
  }

  /** Lines of the client with the same name are one parameter. */
  private collectLines({ head }: Request): void {
    const { names, values, replaced } = this;
    /** Where the parameter of each line is, by its name. */
    const seen = new Map<string, number>();
    for (let index = 0; index < head.fieldCount; index++) {
      const upper = head.name(index).toUpperCase();
      const name = upper.replaceAll("-", "_");
      if (replaced.has(name)) continue;
      const before = seen.get(upper);
      if (before !== undefined) {
        values[before] += `${upper === "COOKIE" ? ";" : ","} ${head.value(index)}`;
        continue;
      }
      seen.set(upper, names.length);
      names.push(PREFIX + name);
      values.push(head.value(index));
    }
  }

  /** Writes what `collect` has made; the offset behind it. */
  write(bytes: Bytes, start: number, form: PairForm): number {
    const { names, values } = this;
    let at = start;
    for (let i = 0; i < names.length; i++) at = form.write(bytes, at, names[i] as string, values[i] as string);
    return at;
  }
}
