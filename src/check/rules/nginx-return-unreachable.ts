/** What stands behind (or beside) a `return` that all requests meet. */
import type { Found } from "../finding.ts";
import { locationsOf } from "../nginx/lookup.ts";
import { finalReturn, type Level, labelOf, placeOf, placeOfLevel } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";

const PROGRAM = new Set(["return", "rewrite", "set", "if", "break"]);
const CONTENT = /_pass$|^(try_files|stub_status|empty_gif|autoindex)$/;

export const nginxReturnUnreachable = siteRule(
  "nginx-return-unreachable",
  "Locations or directives are never reached, because a return answers before.",
  ({ levels }) =>
    levels
      .filter(({ context }) => /server|location/.test(context))
      .flatMap((level) => [...locations(level), ...directives(level)]),
);

/** The rewrite directives of a server run before its locations are looked at. */
function locations(server: Level): readonly Found[] {
  const end = finalReturn(server);
  const dead = locationsOf(server);
  if (server.context !== "server" || end === undefined || dead.length === 0) return [];
  return [
    {
      severity: "warning",
      title: `No location of ${labelOf(server)} is ever reached`,
      why: "A return (or a rewrite that redirects) in a server answers before a location is looked for, wherever in the block it stands.",
      fix: `location / { ${end.name} …; } so that the other locations are found first`,
      places: [placeOf(end), ...dead.map(placeOfLevel)],
    },
  ];
}

function directives(level: Level): readonly Found[] {
  const answer = finalReturn(level);
  if (answer === undefined) return [];
  const end = level.directives.indexOf(answer);
  const isRedirect = answer.name === "rewrite";
  const dead = level.directives.filter(
    ({ name }, index) => (index > end && PROGRAM.has(name)) || (!isRedirect && index !== end && CONTENT.test(name)),
  );
  if (dead.length === 0) return [];
  return [
    {
      severity: dead.some(({ name }) => CONTENT.test(name)) ? "warning" : "info",
      title: `In ${labelOf(level)} the return comes before ${[...new Set(dead.map(({ name }) => name))].join(", ")}`,
      why: "Every request of this level is answered by the return; nothing is looked for and nobody is asked.",
      fix: "remove one of them, or put the return into an if",
      places: [answer, ...dead].map(placeOf),
    },
  ];
}
