/** The commands of server side includes but `include`. What they write goes to `write`. Counterpart in nginx: ngx_http_ssi_echo and so on. */
import { escapeHtml, escapeUri } from "../wire/http1/uri.ts";
import { ANYWHERE, IN_ELSE, IN_IF } from "../wire/ssi/commands.ts";
import { parseExpression } from "../wire/ssi/expression.ts";
import { type Encoding, SSI_ERROR, SSI_FATAL, SSI_OK, type SsiContext, type SsiOutcome } from "./ssi-context.ts";
import type { Told } from "./ssi-include.ts";

/** Takes what a command puts into the page. */
export type Write = (text: string) => void;
type Command = (context: SsiContext, told: Told, write: Write) => SsiOutcome;

function word(told: Told, name: string): string {
  return told.get(name) as string;
}

const ENCODERS: Readonly<Record<Encoding, (text: string) => string>> = {
  none: (text) => text,
  url: (text) => escapeUri(text, "html"),
  entity: escapeHtml,
};

function isEncoding(text: string): text is Encoding {
  return Object.hasOwn(ENCODERS, text);
}

const echo: Command = (context, told, write) => {
  const found = context.variable(word(told, "var"));
  if (found === SSI_ERROR) return SSI_ERROR;
  const value = found ?? told.get("default") ?? "(none)";
  if (value === "") return SSI_OK;
  const encoding = told.get("encoding");
  // It holds for the commands behind it too.
  if (encoding !== undefined && isEncoding(encoding)) context.encoding = encoding;
  else if (encoding !== undefined) context.log(`unknown encoding "${encoding}" in the "echo" command`);
  write(ENCODERS[context.encoding](value));
  return SSI_OK;
};

const config: Command = (context, told) => {
  context.timeFormat = told.get("timefmt") ?? context.timeFormat;
  context.errorMessage = told.get("errmsg") ?? context.errorMessage;
  return SSI_OK;
};

const set: Command = (context, told) => {
  const value = context.expand(word(told, "value"));
  if (typeof value === "number") return value;
  return context.remember(word(told, "var"), value) ? SSI_OK : SSI_FATAL;
};

/** Whether the expression holds, or what comes of it instead. */
function holds(context: SsiContext, text: string): boolean | SsiOutcome {
  const { left: source, comparison } = parseExpression(text);
  const left = context.expand(source);
  if (typeof left === "number") return left;
  if (comparison === undefined) return left !== "";
  if (!comparison.ok) {
    context.log(comparison.reason);
    return SSI_ERROR;
  }
  const { isNegated, isPattern } = comparison.value;
  const right = context.expand(comparison.value.right);
  if (typeof right === "number") return right;
  if (!isPattern) return (left === right) !== isNegated;
  const pattern = context.rules.pattern(right);
  if (!pattern.ok) {
    context.log(pattern.reason);
    return SSI_ERROR;
  }
  const { regexp, names } = pattern.value;
  const found = regexp.exec(left);
  if (found !== null && !context.page.capture(found, names)) {
    context.tooMuch();
    return SSI_FATAL;
  }
  return (found !== null) !== isNegated;
}

function choose(context: SsiContext, told: Told): SsiOutcome {
  if (context.isChosen) {
    context.isActive = false;
    return SSI_OK;
  }
  const chosen = holds(context, word(told, "expr"));
  if (typeof chosen === "number") return chosen;
  context.isActive = chosen;
  if (chosen) context.isChosen = true;
  context.condition = IN_IF;
  return SSI_OK;
}

const begin: Command = (context, told) => {
  if (context.condition !== ANYWHERE) {
    context.log('the "if" command inside the "if" command');
    return SSI_ERROR;
  }
  return choose(context, told);
};

const otherwise: Command = (context) => {
  context.isActive = !context.isChosen;
  context.condition = IN_ELSE;
  return SSI_OK;
};

const endIf: Command = (context) => {
  context.isActive = true;
  context.isChosen = false;
  context.condition = ANYWHERE;
  return SSI_OK;
};

const block: Command = (context, told) => {
  context.block = context.page.openBlock(word(told, "name"));
  context.isActive = false;
  return SSI_OK;
};

const endBlock: Command = (context) => {
  context.block = undefined;
  context.isActive = true;
  return SSI_OK;
};

export const SSI_COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["echo", echo],
  ["config", config],
  ["set", set],
  ["if", begin],
  ["elif", choose],
  ["else", otherwise],
  ["endif", endIf],
  ["block", block],
  ["endblock", endBlock],
]);
