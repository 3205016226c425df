/** `@name` where there is no such location, and locations that nothing leads to. */
import type { Directive } from "../../conf/directive.ts";
import type { Found } from "../finding.ts";
import { headerOfLevel, holding, type Level, named, placeOf, placeOfLevel, within } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxNamedLocation = absenceRule(
  "nginx-named-location",
  "A named location is missing, or nothing leads to it.",
  ({ servers }) => servers.flatMap(look),
);

interface Reference {
  readonly name: string;
  readonly directive: Directive;
}

function look(server: Level): readonly Found[] {
  const defined = server.inner.filter((level) => headerOfLevel(level)?.kind === "named");
  const inside = within(server).flatMap((level) => named(level, "try_files", "error_page"));
  const outside = holding(server, "error_page").filter((directive) => !inside.includes(directive));
  const references = [...inside, ...outside].flatMap((directive): Reference[] => {
    const name = directive.args.at(-1)?.text ?? "";
    return name.startsWith("@") && !name.includes("$") ? [{ name, directive }] : [];
  });
  const names = new Set(defined.map((level) => headerOfLevel(level)?.name));
  const missing = references
    .filter(({ name }) => !names.has(name))
    .map(
      ({ name, directive }): Found => ({
        severity: "error",
        title: `There is no location ${name} in this server`,
        why: `A request that is sent there is answered with 500 (could not find named location "${name}"). Named locations belong to one server; others don't see them.`,
        fix: `location ${name} { … } in the server`,
        places: [placeOf(directive), placeOfLevel(server)],
      }),
    );
  const used = new Set(references.map(({ name }) => name));
  const text = within(server).flatMap(({ directives }) =>
    directives.flatMap(({ args }) => args.map((word) => word.text)),
  );
  const unused = defined.filter((level) => {
    const name = headerOfLevel(level)?.name ?? "";
    return (
      !used.has(name) && text.filter((word) => word === name).length < 2 && !text.some((word) => /^@.*\$/.test(word))
    );
  });
  return [
    ...missing,
    ...unused.map(
      (level): Found => ({
        severity: "info",
        title: `Nothing in this file leads to location ${headerOfLevel(level)?.name}`,
        why: "Clients can't ask for a named location; only try_files, error_page, or a back end's X-Accel-Redirect lead there.",
        fix: "remove it, or use it",
        places: [placeOfLevel(level)],
      }),
    ),
  ];
}
