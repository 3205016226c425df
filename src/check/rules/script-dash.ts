/** A dash that only looks like a minus sign, as web pages and word processors make of `--`. */
import type { Found, Rule } from "../finding.ts";
import { eachCommand } from "../shell.ts";
import { FALSE_DASH } from "../shell-commands.ts";
import { nodesOf, type Subject } from "../subject.ts";

export const scriptDash: Rule<Subject> = {
  id: "script-dash",
  doc: "A check script has a dash that is not a minus sign.",
  check: (subject) => {
    const found = new Map<string, Found>();
    for (const node of nodesOf(subject)) {
      for (const { shell, source } of node.scripts) {
        if (shell === undefined || source === undefined) continue;
        eachCommand(shell.list, ({ words }) => {
          const program = words[0]?.source ?? "the program";
          for (const word of words) {
            const character = FALSE_DASH.exec(word.source)?.[0];
            if (character === undefined || !word.source.startsWith(character)) continue;
            const place = { file: source, line: word.line, column: word.column, isExact: true };
            const meant = word.source.replace(FALSE_DASH, "--");
            found.set(`${source}:${word.line}:${word.column}`, {
              severity: "error",
              title: `"${word.source}" begins with ${nameOf(character)}, not with a minus sign`,
              why: `${program} takes it for garbage, prints an error instead of its list and fails. Whatever counts that list counts nothing: the script believes that what it checks is dead even while it runs.`,
              fix: `write ${meant} with two plain minus signs`,
              places: [place],
            });
          }
        });
      }
    }
    return [...found.values()];
  },
};

function nameOf(character: string): string {
  const names: Readonly<Record<string, string>> = {
    "\u2010": "a hyphen (U+2010)",
    "\u2011": "a non-breaking hyphen (U+2011)",
    "\u2013": "an en dash (U+2013)",
    "\u2014": "an em dash (U+2014)",
    "\u2212": "a mathematical minus (U+2212)",
  };
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return names[character] ?? `a dash of another kind (U+${code})`;
}
