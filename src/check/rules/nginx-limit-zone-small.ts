/** Zones that are full too soon. */
import { parseSize } from "../../conf/units.ts";
import { named, placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

/** What one key takes with its entry, roughly. */
const ENTRY_BYTES = 128;
const FEW = 4000;

export const nginxLimitZoneSmall = siteRule(
  "nginx-limit-zone-small",
  "The zone of a limit has room for few clients.",
  ({ levels }) =>
    levels.flatMap((level) =>
      named(level, "limit_req_zone", "limit_conn_zone").flatMap((directive) => {
        const size = directive.args
          .map(({ text }) => /^zone=[^:]*:(.+)$/.exec(text)?.[1])
          .find((text) => text !== undefined);
        const bytes = size === undefined ? undefined : parseSize(size);
        const count = bytes === undefined ? FEW : Math.floor(bytes / ENTRY_BYTES);
        // A key that is the same for many needs no room.
        if (
          count >= FEW ||
          !/\$(binary_remote_addr|remote_addr|http_|cookie_|arg_)/.test(directive.args[0]?.text ?? "")
        )
          return [];
        return [
          {
            severity: "warning" as const,
            title: `The zone has room for about ${count} clients`,
            why:
              directive.name === "limit_req_zone"
                ? "When it is full the oldest ones are forgotten and begin anew; who comes from many addresses is not limited at all. What finds no room is refused."
                : "When it is full every further client is refused.",
            fix: `zone=…:10m, for about ${Math.floor((10 * 1024 * 1024) / ENTRY_BYTES)} clients`,
            places: [placeOf(directive)],
          },
        ];
      }),
    ),
);
