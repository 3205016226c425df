/** Texts of which one that is neither empty nor `0` is enough. nginx: ngx_http_set_predicate_slot, ngx_http_test_predicates. */
import type { Use } from "../conf/slot.ts";
import type { Template } from "../conf/template.ts";
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

export function isAnySet(request: Request, texts: readonly Text[]): boolean {
  for (let i = 0; i < texts.length; i++) {
    const value = (texts[i] as Text)(request);
    if (value !== "" && value !== "0") return true;
  }
  return false;
}

/** The texts of a directive, whose uses add up. */
export function parsePredicates(use: Use, current: readonly Template[] | undefined): readonly Template[] | undefined {
  const texts = use.args.map((text) => use.template(text));
  return texts.includes(undefined) ? undefined : [...(current ?? []), ...(texts as readonly Template[])];
}
