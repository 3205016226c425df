/** `disable_symlinks`: what a location says of symbolic links. nginx: ngx_http_set_disable_symlinks. */
import type { Use } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import type { LinkCheck } from "../net/link-checks.ts";
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

/** The directive. */
export interface SymlinkSettings {
  readonly mode: "off" | "on" | "if_not_owner";
  readonly from: Template | undefined;
}

/** Reads `off`, or `on | if_not_owner [from=part]`; undefined after a complaint. */
export function parseSymlinks(use: Use): SymlinkSettings | undefined {
  let mode: SymlinkSettings["mode"] | undefined;
  let from: Template | undefined;
  for (const word of use.args) {
    if (word === "off" || word === "on" || word === "if_not_owner") mode = word;
    else if (word.startsWith("from=")) {
      from = use.template(word.slice("from=".length));
      if (from === undefined) return undefined;
    } else return use.fail(`invalid parameter "${word}"`);
  }
  if (mode === undefined) return use.fail(`"${use.name}" must have "off", "on" or "if_not_owner" parameter`);
  if (use.args.length === 2 && from === undefined)
    return use.fail(`duplicate parameters "${use.args[0]} ${use.args[1]}"`);
  if (mode === "off" && from !== undefined) return use.fail('"from=" cannot be used with "off" parameter');
  return { mode, from };
}

/** What a location says. */
export interface SymlinkRule {
  /** Links are followed whose owner owns what they lead to. */
  readonly ofOwner: boolean;
  /** The part of a path that may have links. */
  readonly from: Text | undefined;
}

/** How a request may open a path; undefined when links are of no interest. */
export function linkCheckOf(request: Request, path: string): LinkCheck | undefined {
  const rule = request.location.symlinks;
  if (rule === undefined) return undefined;
  const { ofOwner } = rule;
  const from = rule.from?.(request) ?? "";
  if (from === "" || !path.startsWith(from)) return { ofOwner, free: 0 };
  if (from.length === path.length) return undefined;
  if (path.charAt(from.length) === "/") return { ofOwner, free: from.length };
  return { ofOwner, free: from.endsWith("/") ? from.length - 1 : 0 };
}
