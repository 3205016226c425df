/** The first error of a configuration, by Tandem and by the nginx of this machine, and where they may differ. */
import { bind } from "../../src/conf/bind.ts";
import { isFatal, printDiagnostic } from "../../src/conf/diagnostics.ts";
import { parse } from "../../src/conf/nginx/parser.ts";
import { zoneFault } from "../../src/conf/zones.ts";
import { lookUpHost } from "../../src/os/host-names.ts";
import type { NginxCheck } from "./nginx-binary.ts";
import { testCatalog } from "./nginx-catalog.ts";

const { catalog, variables } = testCatalog();

/**
 * An older nginx lacks some directives, or has them in fewer places, accounts and files are looked up by the master, not while
 * reading, and expressions are compiled by another library.
 */
const BEYOND_WORDS =
  /unknown directive|in "keepalive" directive|"(proxy|fastcgi|scgi|uwsgi)_limit_rate" directive invalid value|pcre2?_compile|getpwnam|getgrnam|(open|mkdir|mmap|stat|dlopen|bind|chown)\(\) |host not found in debug_connection|"resolver(_timeout)?" directive is not allowed here|connections are not enough|is unsupported on this platform|could not build \w+_hash/;

/** Where Tandem differs on purpose, by what it says. */
const WANTED: readonly { readonly ours: RegExp; readonly why: string }[] = [
  { ours: /"worker_priority" directive is duplicate/, why: "a second one is a duplicate, whatever the first one says" },
  { ours: /must be equal to or greater than 1/, why: "nginx notices when it builds its hash of variables" },
  { ours: /empty path/, why: "an older nginx takes it" },
  { ours: /invalid server name or wildcard/, why: "nginx notices when a second server makes it build a hash" },
  { ours: /in "keepalive" directive/, why: "its second word is newer than some nginx" },
  { ours: /"modern_browser" directive takes/, why: "nginx stops without a word" },
];

/** The first error; of an unknown variable only Tandem says where it stands. */
function firstError(lines: readonly string[]): string {
  const line = lines.find((text) => text.startsWith("[emerg]")) ?? "accepted";
  return line.replace(/^(\[emerg\] unknown "[^"]+" variable) in .*$/, "$1");
}

/** What both say of a text. */
export interface Verdicts {
  readonly ours: string;
  readonly theirs: string;
}

/** What Tandem alone says; `folder` is the prefix, with `nginx.conf` in it. */
export function tandemVerdict(text: string, folder: string): string {
  const environment = { prefix: `${folder}/`, confPrefix: `${folder}/`, lookUp: lookUpHost, ...variables };
  const { diagnostics, zones, isUsable } = bind([parse(text, { file: `${folder}/nginx.conf` })], catalog, environment);
  const late = isUsable ? zoneFault(zones) : undefined;
  return firstError([...diagnostics, ...(late === undefined ? [] : [late])].filter(isFatal).map(printDiagnostic));
}

/** Asks both. */
export function judge(text: string, nginx: NginxCheck): Verdicts {
  const theirs = firstError(nginx.test(nginx.write("nginx.conf", text)));
  return { ours: tandemVerdict(text, nginx.folder), theirs };
}

/** True when they say the same, or may differ. */
export function agree({ ours, theirs }: Verdicts): boolean {
  return ours === theirs || BEYOND_WORDS.test(theirs) || WANTED.some((wanted) => wanted.ours.test(ours));
}
