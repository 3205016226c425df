/** Which locations of an nginx.conf pass requests on, to whom, and what they say about HTTP's version and the Connection field. */
import type { Directive } from "../conf/directive.ts";
import type { Place } from "./finding.ts";

/** One `proxy_pass` with what holds for it. */
export interface ProxyView {
  readonly place: Place;
  /** The name or address behind `http://`; undefined when it has variables. */
  readonly target: string | undefined;
  /** `proxy_http_version` as it is written here or further out; undefined: the default holds. */
  readonly version: string | undefined;
  /** What `proxy_set_header Connection` says; undefined: nothing. */
  readonly connection: string | undefined;
  /** The location has active health checks of its own. */
  readonly isChecked: boolean;
}

/** One `upstream` block. */
export interface UpstreamView {
  readonly name: string;
  readonly place: Place;
  /** True: the block says itself how many connections are kept, 0 included. */
  readonly hasKeepalive: boolean;
  /** All workers share what they know of its servers. */
  readonly hasZone: boolean;
}

/** What is inherited on the way in. */
interface Settings {
  readonly version: string | undefined;
  readonly connection: string | undefined;
}

/** Every `proxy_pass` below these directives, whose includes `flatten` puts in place. */
export function proxiesOf(
  directives: readonly Directive[],
  flatten: (directives: readonly Directive[]) => readonly Directive[],
  outer: Settings = { version: undefined, connection: undefined },
): readonly ProxyView[] {
  const own = settingsOf(directives, outer);
  const isChecked = directives.some(({ name }) => name === "health_check");
  return directives.flatMap((directive): readonly ProxyView[] => {
    if (directive.block !== undefined) return proxiesOf(flatten(directive.block.directives), flatten, own);
    const url = directive.args[0]?.text;
    if (directive.name !== "proxy_pass" || url === undefined) return [];
    return [{ place: placeOf(directive), target: targetOf(url), isChecked, ...own }];
  });
}

/** The `upstream` blocks of `http`. */
export function upstreamsOf(
  directives: readonly Directive[],
  flatten: (directives: readonly Directive[]) => readonly Directive[],
): readonly UpstreamView[] {
  return directives
    .filter(({ name }) => name === "http")
    .flatMap(({ block }) => flatten(block?.directives ?? []))
    .flatMap((directive) => {
      const name = directive.args[0]?.text;
      if (directive.name !== "upstream" || name === undefined) return [];
      const inner = flatten(directive.block?.directives ?? []);
      const has = (word: string): boolean => inner.some((one) => one.name === word);
      return [{ name, place: placeOf(directive), hasKeepalive: has("keepalive"), hasZone: has("zone") }];
    });
}

/** A block with any `proxy_set_header` of its own inherits none. */
function settingsOf(directives: readonly Directive[], outer: Settings): Settings {
  const version = directives.find(({ name }) => name === "proxy_http_version")?.args[0]?.text;
  const fields = directives.filter(({ name }) => name === "proxy_set_header");
  const connection = fields.find(({ args }) => args[0]?.text.toLowerCase() === "connection")?.args[1]?.text;
  return {
    version: version ?? outer.version,
    connection: fields.length > 0 ? connection : outer.connection,
  };
}

function targetOf(url: string): string | undefined {
  if (url.includes("$")) return undefined;
  return /^https?:\/\/([^/?]+)/i.exec(url)?.[1]?.toLowerCase();
}

function placeOf({ position }: Directive): Place {
  return { file: position.file, line: position.line, column: position.column };
}
