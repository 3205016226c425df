/** Tests a text with a regular expression and keeps what it captures for `$1` and named variables. */
import type { Request } from "./request.ts";
import type { Setter } from "./variables.ts";

export class Captures {
  private readonly regexp: RegExp;
  private readonly names: readonly string[];
  private readonly setters: readonly Setter[];

  constructor(regexp: RegExp, names: readonly string[], setters: readonly Setter[]) {
    this.regexp = regexp;
    this.names = names;
    this.setters = setters;
  }

  /** True when it matches. */
  readonly matches = (request: Request, text: string): boolean => {
    const found = this.regexp.exec(text);
    if (found === null) return false;
    request.captures = found;
    for (let i = 0; i < this.names.length; i++) {
      (this.setters[i] as Setter)(request, found.groups?.[this.names[i] as string] ?? "");
    }
    return true;
  };
}
