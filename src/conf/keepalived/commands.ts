/** Commands in a keepalived.conf: a program with arguments in one quoted word, then perhaps user and group. */
import type { Position } from "../diagnostics.ts";
import type { Command, ScriptUser } from "./config.ts";
import type { Draft, Interpreter, Keyword, Line } from "./interpreter.ts";
import { type About, keyword } from "./slots.ts";
import { splitCommand } from "./words.ts";

/** A command that may be changed until the configuration is complete. */
export interface CommandDraft {
  readonly text: string;
  readonly argv: readonly string[];
  user: ScriptUser | undefined;
  readonly at: Position;
}

/** Reads the command in word 1, and with `user`, `[user [group]]` behind it; undefined when it is empty or unreadable. */
export function readCommand(line: Line, scope: Interpreter, options?: { user: boolean }): CommandDraft | undefined {
  const words = splitCommand(line.text);
  const argv = words === undefined ? undefined : splitCommand(words[1] ?? "");
  if (words === undefined || argv === undefined) {
    scope.report("warn", `Unmatched quote: '${line.text}'`, line.position);
    return undefined;
  }
  if (argv.length === 0 || argv[0] === "") return undefined;
  const user = options?.user === true ? readUser(words.slice(2)) : undefined;
  return { text: words[1] as string, argv, user, at: line.position };
}

/** The same for a command with a user; `nobody` when there is none to run it. */
export function runnable(line: Line, scope: Interpreter): CommandDraft | "nobody" | undefined {
  const found = readCommand(line, scope, { user: true });
  if (found === undefined || scope.mayRun(found.user, found.at)) return found;
  scope.report("info", `Failed to set default user for ${line.words[0]} ${found.text} - ignoring`, line.position);
  return "nobody";
}

/** `user [[:]group]`: a colon asks for the user's supplementary groups, which a script gets in any case. */
export function readUser(words: readonly string[]): ScriptUser | undefined {
  const [user, group] = words;
  if (user === undefined) return undefined;
  const name = group?.replace(/^:/, "");
  return { user, group: name === "" ? undefined : name };
}

/** Keys of `D` that can hold a command. */
type CommandKey<D> = { [K in keyof D]-?: CommandDraft extends D[K] ? K : never }[keyof D];

/** A keyword whose parameter is a command; the first one counts. */
export function command<D extends Draft>(
  key: CommandKey<D>,
  about: About & {
    readonly already: (text: string, draft: D) => string;
    readonly missing?: string;
    /** What is said besides when there is nobody to run it. */
    readonly dropped?: string;
    /** Whether there is somebody is found out later. */
    readonly isDeferred?: boolean;
  },
): Keyword<D> {
  return keyword({ syntax: "COMMAND [USER [GROUP]]", ...about }, (draft, line, scope) => {
    if (about.missing !== undefined && line.words.length < 2) {
      scope.report("warn", about.missing, line.position);
      return;
    }
    if (scope.word(line, 1) === undefined) return;
    const found = about.isDeferred === true ? readCommand(line, scope, { user: true }) : runnable(line, scope);
    if (found === "nobody" && about.dropped !== undefined) scope.report("warn", about.dropped, line.position);
    if (found === undefined || found === "nobody") return;
    if (draft[key] === undefined) (draft as Record<PropertyKey, unknown>)[key as PropertyKey] = found;
    else scope.report("warn", about.already(found.text, draft), line.position);
  });
}

/** The frozen form. */
export function freezeCommand(draft: CommandDraft): Command {
  return Object.freeze({ ...draft, argv: Object.freeze([...draft.argv]) });
}
