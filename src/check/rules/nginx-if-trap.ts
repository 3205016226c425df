/** What `if` in a location really does: the request goes on in a location of its own. */

import type { Directive } from "../../conf/directive.ts";
import { rewrite } from "../../http/modules/rewrite.ts";
import type { Found } from "../finding.ts";
import { has, type Level, labelOf, named, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** These do in an `if` what they say. */
const SAFE = new Set([
  "return",
  "rewrite",
  "set",
  "break",
  "access_log",
  "limit_rate",
  "limit_rate_after",
  "rewrite_log",
  "uninitialized_variable_warn",
  "log_by_lua_block",
]);

export const nginxIfTrap = siteRule(
  "nginx-if-trap",
  "Directives in an if of a location don't do what they seem to.",
  ({ levels }) => levels.filter(({ context }) => context === "location").flatMap(look),
);

/** True when the request leaves the location, so that nothing else of the `if` matters. */
function leaves(level: Level): boolean {
  return (
    has(level, "return") ||
    named(level, "rewrite").some(({ args }) => /^(last|redirect|permanent)$/.test(args[2]?.text ?? "")) ||
    (level.scope.own(rewrite).rewrite ?? []).some(({ flag }) => flag === "redirect" || flag === "permanent")
  );
}

function look(location: Level): readonly Found[] {
  const staying = location.inner.filter((level) => level.context === "if in location" && !leaves(level));
  const unsafe = staying
    .map((level) => ({ level, directives: level.directives.filter(({ name }) => !SAFE.has(name)) }))
    .filter(({ directives }) => directives.length > 0);
  const [tries] = named(location, "try_files");
  const [first] = staying;
  const found: Found[] = [];
  if (tries !== undefined && first !== undefined && !has(location, "proxy_pass"))
    found.push({
      severity: "warning",
      title: `try_files of ${labelOf(location)} is not asked when the if holds`,
      why: "An if that holds is a location of its own, even an empty one, and try_files is not inherited into it: the path is looked for as it is, without the fallback.",
      fix: "a map in http for what the if decides, and its variable here; or return in the if",
      places: [placeOfLevel(first), placeOf(tries)],
    });
  if (unsafe.length > 1)
    found.push({
      severity: "warning",
      title: `Of ${unsafe.length} ifs in ${labelOf(location)} only the last one that holds has an effect`,
      why: "Each if that holds is a location of its own. The request ends up in the last of them; what the others say is not added to it.",
      fix: "map the conditions to variables in http, and use those once: add_header X-A $a; (an empty value adds nothing)",
      places: unsafe.flatMap(({ level, directives }) => [placeOfLevel(level), ...directives.map(placeOf)]),
    });
  else for (const { level, directives } of unsafe) found.push(single(level, directives));
  return found;
}

function single(level: Level, directives: readonly Directive[]): Found {
  const names = [...new Set(directives.map(({ name }) => name))].join(", ");
  return {
    severity: "info",
    title: `${names} in an if of ${labelOf(level.outer as Level)}`,
    why: "An if that holds is a location of its own, which does not have all that stands around it. Only return, rewrite, set and break are safe there; the next if that somebody adds will take the effect of this one away.",
    fix: "a map in http for what the if decides, and its variable where the value is used",
    places: [placeOfLevel(level), ...directives.map(placeOf)],
  };
}
