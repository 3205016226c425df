/** `include`: puts the answer to another request in its place, or into a variable. Counterpart in nginx: ngx_http_ssi_include. */
import { isUnsafePath, unescapeUri } from "../wire/http1/uri.ts";
import { AnswerMemory } from "./answer-memory.ts";
import { LAST } from "./body.ts";
import { sendHeader, splitUri } from "./engine.ts";
import { DONE, ERROR, OK } from "./outcome.ts";
import type { Request } from "./request.ts";
import { SSI_ERROR, SSI_OK, type SsiContext, type SsiOutcome } from "./ssi-context.ts";
import type { Block } from "./ssi-page.ts";
import { type AnswerHook, type SubrequestOptions, subrequest } from "./subrequest.ts";

/** Answers from here on are errors or lead elsewhere. nginx: NGX_HTTP_SPECIAL_RESPONSE. */
const SPECIAL_RESPONSE = 300;

/** What a command was told, by the parameters' names. */
export type Told = ReadonlyMap<string, string>;

/** What is wrong with the words of an `include`; undefined when nothing is. */
function complaint(told: Told): string | undefined {
  const uri = told.get("virtual");
  const file = told.get("file");
  const wait = told.get("wait");
  if (uri !== undefined && file !== undefined) {
    return `inclusion may be either virtual="${uri}" or file="${file}"`;
  }
  if (uri === undefined && file === undefined) return 'no parameter in "include" SSI command';
  if (told.has("set") && told.has("stub")) {
    return '"set" and "stub" cannot be used together in "include" SSI command';
  }
  if (wait === undefined) return undefined;
  if (uri === undefined) return `"wait" cannot be used with file="${file}"`;
  return /^(yes|no)$/i.test(wait) ? undefined : `invalid value "${wait}" in the "wait" parameter`;
}

/** A relative URI begins where the page is. */
function addFolder({ uri }: Request, text: string): string {
  return text.startsWith("/") ? text : uri.slice(0, uri.lastIndexOf("/") + 1) + text;
}

function split(context: SsiContext, text: string): ReturnType<typeof splitUri> {
  const parts = splitUri(text);
  if (parts !== undefined) return parts;
  const path = text.replace(/\?.*$/s, "");
  context.log(`unsafe URI "${isUnsafePath(path) ? text : unescapeUri(path)}" was detected`);
  return undefined;
}

/** An answer without anything in it, or an error, gives way to the block. nginx: ngx_http_ssi_stub_output. */
function standIn({ chunks }: Block): AnswerHook {
  // The block as it is now: another one of its kind may grow later.
  const now = [...chunks];
  return (request, outcome) => {
    const { chain, connection, main, parent } = request;
    if (outcome === ERROR || chain === undefined || chain.carried) return outcome;
    if (!request.headerSent) {
      request.contentType = (parent as Request).contentType;
      if (sendHeader(request) === ERROR) return ERROR;
    }
    request.chain?.send(now, LAST);
    return connection.request === main ? OK : DONE;
  };
}

/** The answer becomes the variable's value. nginx: ngx_http_ssi_set_variable. */
function keep(context: SsiContext, name: string, memory: AnswerMemory): AnswerHook {
  return (request, outcome) => {
    const { text } = memory;
    if (request.status >= SPECIAL_RESPONSE || text === undefined) return outcome;
    return context.remember(name, text) ? outcome : ERROR;
  };
}

function optionsOf(context: SsiContext, told: Told): SubrequestOptions | undefined {
  const stub = told.get("stub");
  const variable = told.get("set");
  if (stub !== undefined) {
    const block = context.page.findBlock(stub);
    if (block !== undefined) return { onAnswered: standIn(block) };
    context.log(`"stub"="${stub}" for "include" not found`);
    return undefined;
  }
  if (variable === undefined) return {};
  // It exists from now on.
  if (context.page.get(variable) === undefined && !context.remember(variable, "")) return undefined;
  const memory = new AnswerMemory();
  return { memory, onAnswered: keep(context, variable, memory) };
}

/** Begins the subrequest; `awaited` when the page goes on behind its end only. */
export function include(context: SsiContext, told: Told): SsiOutcome {
  const { request } = context;
  const wrong = complaint(told);
  if (wrong !== undefined) {
    context.log(wrong);
    return SSI_ERROR;
  }
  const file = told.get("file");
  const source = file ?? (told.get("virtual") as string);
  const text = context.expand(source);
  if (typeof text === "number") return text;
  // Variables that are all empty lead nowhere, not to the folder.
  const parts = split(context, text === "" && source !== "" ? "" : addFolder(request, text));
  if (parts === undefined) return SSI_ERROR;
  const options = optionsOf(context, told);
  if (options === undefined) return SSI_ERROR;
  const { uri, args } = parts;
  const begun = subrequest(request, uri, { ...options, args });
  if (begun === undefined) return SSI_ERROR;
  const waits = file !== undefined || told.get("wait")?.toLowerCase() === "yes" || told.has("set");
  if (waits) context.awaited = begun;
  return SSI_OK;
}
