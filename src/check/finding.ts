/** What a rule has found, in a form that both a person and a program can use. */

/** `error`: breaks what the pair is for; `warning`: hurts one day; `info`: good to know. */
export const SEVERITIES = ["error", "warning", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** A place in a file. */
export interface Place {
  readonly file: string;
  readonly line: number;
  /** Counted from 1. */
  readonly column?: number;
  /** The line itself; filled in when all rules have run. */
  readonly text?: string;
  /** True: what is wrong stands in this column, and a mark is put under it. */
  readonly isExact?: boolean;
}

/** One finding. */
export interface Finding {
  /** Name of the rule. */
  readonly rule: string;
  readonly severity: Severity;
  /** Which node it is about, where it is about one. */
  readonly nodes?: readonly string[];
  /** One sentence without full stop: what is so. The same for both nodes, so that findings can be joined. */
  readonly title: string;
  /** What follows from it, in plain words. */
  readonly why: string;
  /** What of it differs from node to node. */
  readonly detail?: string;
  /** What to do about it. */
  readonly fix?: string;
  readonly places: readonly Place[];
}

/** A finding of a rule that has a name of its own. */
export type Found = Omit<Finding, "rule">;

/** One rule: looks at the subject, returns what it finds. */
export interface Rule<S> {
  /** kebab-case, also the file's name. */
  readonly id: string;
  /** One sentence for the list of rules. */
  readonly doc: string;
  readonly check: (subject: S) => readonly Found[];
}
