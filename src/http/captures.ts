/** Tests a text with a regular expression and keeps what it captures for `$1` and named variables. */
import type { Request } from "./request.ts";
import type { Setter } from "./variables.ts";

/** A variable that is set to what a group has captured. */
interface Named {
  readonly group: number;
  readonly set: Setter;
}

export class Captures {
  private readonly regexp: RegExp;
  private readonly named: readonly Named[];

  /** `names` of the groups as `Pattern` has them. */
  constructor(regexp: RegExp, names: readonly string[], setterOf: (name: string) => Setter) {
    this.regexp = regexp;
    this.named = names.flatMap((name, index) => (name === "" ? [] : [{ group: index + 1, set: setterOf(name) }]));
  }

  /** True when it matches. */
  readonly matches = (request: Request, text: string): boolean => {
    const found = this.regexp.exec(text);
    if (found === null) return false;
    request.captures = found;
    for (let i = 0; i < this.named.length; i++) {
      const { group, set } = this.named[i] as Named;
      set(request, found[group] ?? "");
    }
    return true;
  };
}
