/** What the checks need of an nginx.conf: read from its syntax tree, because a check must also understand files that are not complete here. */
import type { Diagnostic } from "../conf/diagnostics.ts";
import type { Directive, Source, Word } from "../conf/directive.ts";
import type { BoundNginx } from "./bind-nginx.ts";
import type { Place } from "./finding.ts";
import { type Site, siteOf } from "./nginx/site.ts";
import { type ProxyView, proxiesOf, type UpstreamView, upstreamsOf } from "./nginx-proxies.ts";
import { withoutLabel } from "./running-node.ts";

/** A `listen` of some server. */
export interface ListenView {
  /** `*` for all IPv4 addresses, `[::]` for all IPv6 ones, else the address; undefined for a unix socket. */
  readonly address: string | undefined;
  readonly port: number;
  readonly place: Place;
}

/** A path that must exist. */
export interface PathView {
  readonly path: string;
  readonly place: Place;
}

/** An `error_page` that leads to a file, and the root that it is looked up in. */
export interface ErrorPageView extends PathView {
  readonly uri: string;
}

/** One nginx.conf. */
export interface NginxView {
  readonly file: string;
  readonly user: { readonly name: string; readonly place: Place } | undefined;
  readonly listens: readonly ListenView[];
  /** Roots, absolute where the prefix is known. */
  readonly roots: readonly PathView[];
  readonly errorPages: readonly ErrorPageView[];
  readonly proxies: readonly ProxyView[];
  readonly upstreams: readonly UpstreamView[];
  /** What could not be read, in nginx's words. */
  readonly faults: readonly { readonly message: string; readonly place: Place }[];
  /** What binding it against Tandem's directives has found; empty when nobody has bound it. */
  readonly diagnostics: readonly Diagnostic[];
  /** What it amounts to; undefined when nobody has bound it. */
  readonly site: Site | undefined;
  /** The prefix that the file's own place tells: `/usr/local/nginx` for `/usr/local/nginx/conf/nginx.conf`. */
  readonly prefix: string | undefined;
}

/** Reads the view out of a loaded tree. */
export function viewNginx(source: Source, bound?: BoundNginx): NginxView {
  const collector = new Collector(prefixOf(source.file));
  collector.source(source);
  const inPlace = (directives: readonly Directive[]): readonly Directive[] => flatten(directives, []);
  const top = inPlace(source.directives);
  return {
    file: source.file,
    prefix: prefixOf(source.file),
    diagnostics: bound?.diagnostics ?? [],
    site: bound?.main === undefined ? undefined : siteOf(source, bound.main),
    proxies: proxiesOf(top, inPlace),
    upstreams: upstreamsOf(top, inPlace),
    ...collector.found,
  };
}

/** An installation keeps its file in `PREFIX/conf`; `/etc/nginx` is a prefix by itself. */
function prefixOf(file: string): string | undefined {
  const path = withoutLabel(file);
  const match = /^(\/.*)\/conf\/[^/]+$/.exec(path) ?? /^(\/etc\/nginx)\/[^/]+$/.exec(path);
  return match?.[1];
}

/** Where a location looks for files. */
interface Context {
  readonly root: PathView | undefined;
}

class Collector {
  readonly #prefix: string | undefined;
  readonly #listens: ListenView[] = [];
  readonly #roots: PathView[] = [];
  readonly #errorPages: ErrorPageView[] = [];
  readonly #faults: { message: string; place: Place }[] = [];
  #user: { name: string; place: Place } | undefined;

  constructor(prefix: string | undefined) {
    this.#prefix = prefix;
  }

  get found() {
    return {
      user: this.#user,
      listens: this.#listens,
      roots: this.#roots,
      errorPages: this.#errorPages,
      faults: this.#faults,
    };
  }

  source(source: Source): void {
    if (source.fault !== undefined) {
      const { file, line } = source.fault.position ?? { file: source.file, line: 1 };
      this.#faults.push({ message: source.fault.message, place: { file, line } });
    }
    this.#directives(flatten(source.directives, this.#faults), { root: undefined });
  }

  #directives(directives: readonly Directive[], outer: Context): void {
    const own = directives.find(({ name }) => name === "root");
    const root = own === undefined ? outer.root : this.#path(own);
    if (own !== undefined && root !== undefined) this.#roots.push(root);
    const locations = directives.filter(({ name }) => name === "location");
    for (const directive of directives) {
      const [first] = directive.args;
      if (directive.name === "user" && first !== undefined)
        this.#user = { name: first.text, place: placeOf(directive) };
      else if (directive.name === "listen" && first !== undefined) this.#listen(directive, first);
      else if (directive.name === "error_page") this.#errorPage(directive, locations, root);
      if (directive.block !== undefined) this.#directives(flatten(directive.block.directives, this.#faults), { root });
    }
    if (directives.some(({ name }) => name === "server_name" || name === "location") && isServer(directives))
      if (!directives.some(({ name }) => name === "listen") && locations.length > 0)
        this.#listens.push({ address: "*", port: 80, place: placeOf(directives[0] as Directive) });
  }

  #path(directive: Directive): PathView | undefined {
    const text = directive.args[0]?.text;
    if (text === undefined || text.includes("$")) return undefined;
    if (text.startsWith("/")) return { path: text, place: placeOf(directive) };
    return this.#prefix === undefined ? undefined : { path: `${this.#prefix}/${text}`, place: placeOf(directive) };
  }

  #listen(directive: Directive, first: Word): void {
    const { text } = first;
    const place = placeOf(directive);
    if (text.startsWith("unix:")) return;
    const match = /^(?:(\[[^\]]*\]|[^:[\]]+):)?(\d+)$/.exec(text);
    if (match !== null) this.#listens.push({ address: match[1] ?? "*", port: Number(match[2]), place });
    else this.#listens.push({ address: text, port: 80, place });
  }

  /** `error_page 500 /50x.html` with `location = /50x.html { root html; }`: the file that is meant. */
  #errorPage(directive: Directive, locations: readonly Directive[], outerRoot: PathView | undefined): void {
    const uri = directive.args.at(-1)?.text;
    if (uri === undefined || !/^\/[^$]*\.\w+$/.test(uri)) return;
    const own = locations.find(({ args }) => args.at(-1)?.text === uri);
    const inner = own?.block?.directives;
    if (inner?.some(({ name }) => name === "proxy_pass" || name === "return" || name === "alias") === true) return;
    const ownRoot = inner?.find(({ name }) => name === "root");
    const root = ownRoot === undefined ? outerRoot : this.#path(ownRoot);
    if (root !== undefined) this.#errorPages.push({ uri, path: root.path + uri, place: placeOf(directive) });
  }
}

function isServer(directives: readonly Directive[]): boolean {
  return directives.some(({ name }) => name === "server_name");
}

/** Directives with those of included files in their place. */
function flatten(directives: readonly Directive[], faults: { message: string; place: Place }[]): readonly Directive[] {
  return directives.flatMap((directive): readonly Directive[] => {
    if (directive.sources === undefined) return [directive];
    return directive.sources.flatMap((source) => {
      if (source.fault !== undefined) {
        const { file, line } = source.fault.position ?? directive.position;
        faults.push({ message: source.fault.message, place: { file, line } });
      }
      return flatten(source.directives, faults);
    });
  });
}

function placeOf({ position }: Directive): Place {
  return { file: position.file, line: position.line, column: position.column };
}
