/**
 * What a directive is: the contract between the modules, which declare their directives as slots, and `bind` and `merge`,
 * which know nothing else of them. Constructors for the usual kinds are in `slots.ts`.
 */
import type { HostLookup } from "../base/ip.ts";
import type { Level } from "../base/log.ts";
import type { Position } from "./diagnostics.ts";
import type { Source, Word } from "./directive.ts";
import type { GeoPieces } from "./geo-base.ts";
import type { Scope } from "./scope.ts";
import type { Template } from "./template.ts";
import type { ZoneDeclaration } from "./zones.ts";

/** Where a directive can stand, named as nginx's documentation names it; a service other than http names its own blocks. */
export const CONTEXTS = [
  "main",
  "events",
  "http",
  "server",
  "location",
  "if in server",
  "if in location",
  "limit_except",
  "upstream",
  "stream",
  "stream server",
  "stream upstream",
  "mail",
  "mail server",
  "rtmp",
  "rtmp server",
  "rtmp application",
] as const;
export type Context = (typeof CONTEXTS)[number];

/** Contexts that are the surrounding one under a condition, rather than a place of their own. */
export const CONDITIONS: ReadonlySet<Context> = new Set(["if in server", "if in location", "limit_except"]);

/** What a configuration is bound against. */
export interface Environment {
  /** Relative paths begin here; ends with a slash. nginx: `-p`. */
  readonly prefix: string;
  /** Paths of included files, keys and the like begin here: the folder of the main file, with its slash. */
  readonly confPrefix: string;
  /** The addresses of a host name, as this machine knows them. Without it no name has any. */
  readonly lookUp?: HostLookup;
  /** This machine's name, in lower case. */
  readonly hostName?: string;
  /**
   * Whether a variable (lower case) exists in a service, named as its block in the main context, that no directive of the
   * configuration defines. Without it all do.
   */
  isVariable?(name: string, service: string): boolean;
  /** Whether a variable (lower case) is one that a configuration may not define or set there. */
  isConstant?(name: string, service: string): boolean;
  /** What this machine lacks for something optional, as the end of "directive … "; undefined when it has it. Without it nothing is missing. */
  lackOf?(need: string): string | undefined;
}

/** A file that was included in a raw block by its name. */
export interface IncludedFile {
  /** The `include`. */
  readonly use: Use;
  readonly source: Source;
  /** Its lines have been read. */
  readonly isBehind: boolean;
  /** Set in front of its lines, so that they don't come. */
  isSkipped: boolean;
}

/** A binary base that a configuration makes of a file that it includes, for faster reading. */
export interface MadeBase {
  readonly file: string;
  readonly pieces: GeoPieces;
}

/**
 * One use of a directive, as a slot's parser sees it. A parser returns its value, or `undefined` after it has said what
 * is wrong: `return use.fail('invalid value "x"')`.
 */
export interface Use {
  readonly name: string;
  /** The words behind the name. */
  readonly args: readonly string[];
  readonly words: readonly Word[];
  /** The context that the directive stands in. */
  readonly context: Context;
  /** The scope that it stands in, with what was set there before. */
  readonly scope: Scope;
  /** The line that nginx blames. */
  readonly position: Position;
  /** Counts uses in the order of reading, over all files: for directives whose order is behaviour. */
  readonly order: number;
  readonly environment: Environment;
  /** The lines of a raw block (`types`, `map`), includes resolved; none for a simple directive. Read it once. */
  readonly entries: Iterable<Use>;
  /** The same, and each file that was included by its name, before and behind its lines. */
  readonly entriesAndFiles: Iterable<Use | IncludedFile>;
  /** True when the same module's directive `name` was set before in the same scope. */
  isSet(name: string): boolean;
  /** Reports `[emerg] message`. */
  fail(message: string): undefined;
  /** Reports `[emerg] "name" directive reason`. */
  invalid(reason: string): undefined;
  /** Reports that the number of words does not suit, for slots whose arity depends on the words. */
  invalidArity(): undefined;
  warn(message: string): void;
  notice(message: string): void;
  /** Makes a binary base, which is written once the configuration has been accepted. */
  makeBase(base: MadeBase): void;
  /** A base that has been made before in this configuration. */
  madeBase(file: string): MadeBase | undefined;
  /** Declares a variable (without `$`) that this configuration defines: `set`, `map`, named captures. Some are refused. */
  define(variable: string): void;
  /**
   * Declares a zone, or refers to one (`sizeBytes` 0), which may be declared later. Undefined when it contradicts what was
   * said of that name before, which has been reported.
   */
  zone(name: string, sizeBytes: number, purpose: string): ZoneDeclaration | undefined;
  /** Says that a variable (without `$`) is read; whether there is one is checked at the end. */
  refer(variable: string): void;
  /** Parses a text with variables, whose names are checked at the end. */
  template(text: string): Template | undefined;
}

/** Number of words behind the name: exactly so many, or from … to. */
export type Arity = number | readonly [min: number, max: number];

/** How a value goes down: to all inner scopes, only into `if` and `limit_except`, or not at all. */
export type Inherit = "all" | "conditions" | "none";

/** What of a slot does not depend on its type. */
export interface SlotWords {
  /** Contexts as nginx's documentation lists them: `http, server, location`. Without it: the module's `contexts`. */
  readonly in?: string | undefined;
  /** One sentence for `tandem explain` and the reference. */
  readonly doc: string;
  /** nginx, with all modules that there are for it, has no such directive. */
  readonly isOwn: boolean;
  readonly arity: Arity;
  /** What follows the name: `on | off`, `size`, `code ... [=[response]] uri`. */
  readonly syntax: string;
  /** The default as it would be written; undefined when there is none. */
  readonly defaultText: string | undefined;
  /** True when the directive may be used more than once in a scope. */
  readonly isRepeatable: boolean;
  readonly inherit: Inherit;
  /** `simple` ends with `;`; `raw` has a block that the module reads; `scope` has a block of directives. */
  readonly form: "simple" | "raw" | "scope";
  /** For `scope`: from the context in which it stands to the one that it opens. */
  readonly opens?: Readonly<Partial<Record<Context, Context>>>;
}

/** True when a scope of this context takes the slot's value from the scope around it. */
export function inheritsInto({ inherit }: SlotWords, context: Context): boolean {
  return inherit === "all" || (inherit === "conditions" && CONDITIONS.has(context));
}

/** A directive whose value, once merged, is a T. */
export interface Slot<T> extends SlotWords {
  /** The value where nothing is set. */
  fallback(environment: Environment): T;
  /** One more use in a scope that has `current` so far; undefined when refused (the reason has been reported). */
  set(current: T | undefined, use: Use, opened: Scope | undefined): T | undefined;
  /** Both a scope and the one around it have a value. Without it the inner one wins. */
  merge?(outer: T, inner: T): T;
}

/** The directives of a module by name. */
export type Directives = Readonly<Record<string, Slot<unknown>>>;

/** The configuration that a module's directives amount to: nginx's names, each slot's type. */
export type ConfOf<D extends Directives> = {
  readonly [K in keyof D]: D[K] extends Slot<infer T> ? T : never;
};

/** Tells what is wrong across directives. Without a position it is about the configuration as a whole. */
export type Report = (severity: Level, message: string, position?: Position) => void;

/** What the hooks of a module get besides its configuration. */
export interface Situation<D extends Directives> {
  readonly scope: Scope;
  /** What is set right here. */
  readonly own: Partial<ConfOf<D>>;
  readonly environment: Environment;
}

/** A module as configuration sees it. Services extend it with what it does. */
export interface ConfModule<D extends Directives = Directives> {
  readonly name: string;
  /** Contexts of the directives that do not name theirs. */
  readonly contexts?: string;
  readonly directives: D;
  /**
   * Finishes what the slots have merged, for values that depend on each other. Called once for all scopes of a context that
   * set nothing of the module inside the same outer configuration: the result may not depend on anything else.
   */
  merge?(merged: ConfOf<D>, outer: ConfOf<D> | undefined, situation: Situation<D>): ConfOf<D>;
  /** True when a scope that sets nothing has other values than this outer configuration: `merge` is asked for them. */
  differsInside?(outer: ConfOf<D>): boolean;
  /** Looks at each scope after merging, when nothing fatal was found so far. */
  check?(conf: ConfOf<D>, situation: Situation<D>, report: Report): void;
  /** The same, when every module has checked: for what nginx notices when it builds from the merged configuration. */
  checkLast?(conf: ConfOf<D>, situation: Situation<D>, report: Report): void;
}

/** Declares a module; only here to infer its types. */
export function confModule<const D extends Directives>(module: ConfModule<D>): ConfModule<D> {
  return module;
}
