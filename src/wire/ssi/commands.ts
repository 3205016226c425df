/** The commands of server side includes and what they may be told. Counterpart in nginx: ngx_http_ssi_commands. */
import { type Decoded, decoded, malformed } from "../../base/decoded.ts";
import { MAX_PARAMETERS, OPENING, type SsiCommand } from "./parser.ts";

/** Where a command stands: it needs no `if`, an `if` without its `else`, or an `if`. Greater ones allow the lesser. */
export const ANYWHERE = 0;
export const IN_IF = 1;
export const IN_ELSE = 2;
export type Condition = number;

export interface SsiDefinition {
  /** Names of the parameters that it may have. */
  readonly parameters: readonly string[];
  /** Those that must be there. */
  readonly mandatory: readonly string[];
  readonly condition: Condition;
  /** It works where nothing else is looked at: in the text of a block. */
  readonly endsBlock: boolean;
}

/** `words`: its parameters, with a `!` behind those that must be there. */
function define(words = "", condition: Condition = ANYWHERE, endsBlock = false): SsiDefinition {
  const mandatory = words.match(/\w+(?=!)/g) ?? [];
  return { parameters: words.match(/\w+/g) ?? [], mandatory, condition, endsBlock };
}

const COMMANDS: ReadonlyMap<string, SsiDefinition> = new Map([
  ["include", define("virtual file wait set stub")],
  ["echo", define("var! default encoding")],
  ["config", define("errmsg timefmt")],
  ["set", define("var! value!")],
  ["if", define("expr!")],
  ["elif", define("expr!", IN_IF)],
  ["else", define("", IN_IF)],
  ["endif", define("", IN_ELSE)],
  ["block", define("name!")],
  ["endblock", define("", ANYWHERE, true)],
]);

export function definitionOf(command: SsiCommand): SsiDefinition | undefined {
  return COMMANDS.get(command.name);
}

/** What a command was told, by name; the reason of a failure is nginx's message. */
export function readParameters(
  { name: command, parameters }: SsiCommand,
  definition: SsiDefinition,
): Decoded<ReadonlyMap<string, string>> {
  if (parameters.length > MAX_PARAMETERS) return malformed(`too many SSI command parameters: "${command}"`);
  const told = new Map<string, string>();
  for (const { name, value } of parameters) {
    if (!definition.parameters.includes(name)) {
      return malformed(`invalid parameter name: "${name}" in "${command}" SSI command`);
    }
    if (told.has(name)) return malformed(`duplicate "${name}" parameter in "${command}" SSI command`);
    told.set(name, value);
  }
  const absent = definition.mandatory.find((name) => !told.has(name));
  if (absent === undefined) return decoded(told);
  return malformed(`mandatory "${absent}" parameter is absent in "${command}" SSI command`);
}

/** A command as a page would have it. */
export function printCommand({ name, parameters }: SsiCommand): string {
  const words = parameters.map((parameter) => ` ${parameter.name}="${parameter.value}"`);
  return `${OPENING}${name}${words.join("")} -->`;
}
