/** Who is let into a level: `allow` and `deny`, passwords, `auth_request`, `internal`. */

import type { Directive } from "../../conf/directive.ts";
import { access } from "../../http/modules/access.ts";
import { finalReturn, has, holding, type Level, linesOf, named, outwards, wordsOf } from "./site.ts";

/** One `allow` or `deny`, in the order of the file. */
export interface AccessLine {
  readonly deny: boolean;
  readonly isAll: boolean;
  readonly directive: Directive;
}

/** The list that stands right in a level. */
export function ownAccess(level: Level): readonly AccessLine[] {
  return [...linesOf(level, access, "allow"), ...linesOf(level, access, "deny")]
    .sort((a, b) => a.value.order - b.value.order)
    .map(({ value: { deny, network }, directive }) => ({ deny, isAll: network === "all", directive }));
}

/** The list that holds in a level: the nearest one. */
export function heldAccess(level: Level): readonly AccessLine[] {
  for (const at of outwards(level)) {
    const own = ownAccess(at);
    if (own.length > 0) return own;
  }
  return [];
}

/** The status that every request of a level gets by its `return`; undefined without. */
export function returnedStatus(level: Level): number | undefined {
  const directive = finalReturn(level);
  if (directive === undefined) return undefined;
  const [first = ""] = wordsOf(directive);
  if (directive.name === "rewrite") return wordsOf(directive)[2] === "permanent" ? 301 : 302;
  return /^\d+$/.test(first) ? Number(first) : 302;
}

/** Refused to everybody. */
export function refusesAll(level: Level): boolean {
  const [first] = heldAccess(level);
  return (first?.deny === true && first.isAll) || (returnedStatus(level) ?? 0) >= 400 || has(level, "internal");
}

/** Directives that ask for a name, a token or another location's word. */
const ASKING = ["auth_basic", "auth_request", "auth_jwt", "auth_oidc", "auth_digest", "ssl_verify_client"];

/** Some are let in, others not. */
export function isGuarded(level: Level): boolean {
  if (refusesAll(level) || heldAccess(level).some(({ deny, isAll }) => deny && isAll)) return true;
  return ASKING.some((name) => holding(level, name).some(({ args }) => args[0]?.text !== "off"));
}

/** The directives right in a level that guard it. */
export function ownGuards(level: Level): readonly Directive[] {
  const isDenied = ownAccess(level).some(({ deny, isAll }) => deny && isAll);
  return [
    ...(isDenied ? named(level, "deny") : []),
    ...named(level, "internal"),
    ...named(level, ...ASKING).filter(({ args }) => args[0]?.text !== "off"),
    ...((returnedStatus(level) ?? 0) >= 400 ? named(level, "return") : []),
  ];
}

/** Only internal redirects and subrequests come here. */
export function isInternal(level: Level): boolean {
  for (const at of outwards(level)) if (has(at, "internal")) return true;
  return false;
}
