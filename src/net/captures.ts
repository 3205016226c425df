/** Tests a text with a regular expression and keeps what it captures for `$1` and named variables. */
import type { Setter, Subject } from "./variables.ts";

/** A variable that is set to what a group has captured. */
interface Named<S> {
  readonly group: number;
  readonly set: Setter<S>;
}

export class Captures<S extends Subject> {
  private readonly regexp: RegExp;
  private readonly named: readonly Named<S>[];

  /** `names` of the groups as `Pattern` has them. */
  constructor(regexp: RegExp, names: readonly string[], setterOf: (name: string) => Setter<S>) {
    this.regexp = regexp;
    this.named = names.flatMap((name, index) => (name === "" ? [] : [{ group: index + 1, set: setterOf(name) }]));
  }

  /** True when it matches. */
  readonly matches = (subject: S, text: string): boolean => {
    const found = this.regexp.exec(text);
    if (found === null) return false;
    subject.captures = found;
    for (let i = 0; i < this.named.length; i++) {
      const { group, set } = this.named[i] as Named<S>;
      set(subject, found[group] ?? "");
    }
    return true;
  };
}
