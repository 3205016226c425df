/** Texts of which one that is neither empty nor `0` is enough. nginx: ngx_http_test_predicates. */
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

export function isAnySet(request: Request, texts: readonly Text[]): boolean {
  for (let i = 0; i < texts.length; i++) {
    const value = (texts[i] as Text)(request);
    if (value !== "" && value !== "0") return true;
  }
  return false;
}
