/** A `types` block hides the one further out. */
import { core } from "../../http/modules/core.ts";
import { mapEntries } from "../nginx/patterns.ts";
import { type Level, labelOf, named, outwards, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** So many types are a list of their own, and no addition. */
const WHOLE_LIST = 10;

export const nginxTypesDropped = siteRule(
  "nginx-types-dropped",
  "A types block of a server or location takes all other media types away.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const own = named(level, "types");
      const added = own.reduce((count, directive) => count + mapEntries(directive).length, 0);
      const outer = level.outer === undefined ? undefined : nearest(level.outer);
      const [first] = own;
      // An empty block says that all is of the default type, and means it.
      if (first === undefined || outer === undefined || added === 0 || added >= WHOLE_LIST) return [];
      const known = outer.scope.conf(core).types.size;
      return [
        {
          severity: "warning" as const,
          title: `${labelOf(level)} knows only ${added === 1 ? "one media type" : `${added} media types`}, not the ${known} file extensions of the outer types`,
          why: "A types block replaces the outer one, it does not add to it. Style sheets and scripts are sent as default_type, and browsers don't use them.",
          fix: "add the types to the outer block (several blocks in one place add up), or include mime.types; in front of them here, too",
          places: [placeOf(first), ...named(outer, "types").map(placeOf)],
        },
      ];
    }),
);

function nearest(level: Level): Level | undefined {
  for (const at of outwards(level))
    if (named(at, "types").some((directive) => mapEntries(directive).length > 0)) return at;
  return undefined;
}
