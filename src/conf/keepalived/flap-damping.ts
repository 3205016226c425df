/**
 * `flap_damping` of `global_defs` and `vrrp_instance`: an extension, keepalived knows no such thing. The words are those of RFC 2439.
 * See docs/flap-damping.md.
 */
import type { FlapDamping } from "./config.ts";
import type { Draft, Interpreter, Keyword, Line } from "./interpreter.ts";
import { readBoolean, readInteger } from "./numbers.ts";
import type { Report } from "./report.ts";
import { keyword } from "./slots.ts";

/** Their names, for whoever says that a file uses them. */
export const FLAP_DAMPING_KEYWORDS = ["flap_damping"] as const;

/** What one fall adds to the penalty. */
export const FALL_PENALTY = 1000;
const OWNER_PRIORITY = 255;
const MAX_PENALTY = 100_000;
const MAX_SECONDS = 86_400;

/** As it is written; `isOn` false: nothing is damped. */
export interface FlapDampingDraft {
  readonly isOn: boolean;
  readonly halfLifeS?: number;
  readonly suppress?: number;
  readonly reuse?: number;
  readonly maxSuppressS?: number;
}

interface WithFlapDamping extends Draft {
  flapDamping?: FlapDampingDraft;
}

const OPTIONS = {
  half_life: { key: "halfLifeS", min: 1, max: MAX_SECONDS },
  suppress: { key: "suppress", min: FALL_PENALTY, max: MAX_PENALTY },
  reuse: { key: "reuse", min: 1, max: MAX_PENALTY },
  max_suppress: { key: "maxSuppressS", min: 1, max: MAX_SECONDS },
} as const;

const DEFAULTS = { halfLifeS: 60, suppress: 2000, reuse: 750 } as const;
/** Half-lives for which a router is damped at most, behind its last fall. */
const DEFAULT_MAX_HALF_LIVES = 4;

/** The keyword, for the block of any draft. */
export function flapDampingKeyword<D extends WithFlapDamping>(): Keyword<D> {
  return keyword<D>(
    {
      syntax: "[on|off] [half_life SECONDS] [suppress PENALTY] [reuse PENALTY] [max_suppress SECONDS]",
      default: "of what track_upstream takes only",
      doc: "Priority that health has taken again and again is given back only when it has been quiet; half_life 60, suppress 2000, reuse 750, max_suppress four half-lives. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const read = readFlapDamping(line, scope);
      if (read !== undefined) draft.flapDamping = read;
    },
  );
}

/** A line that is not understood is no reason to run without what it asks for. */
function readFlapDamping(line: Line, scope: Interpreter): FlapDampingDraft | undefined {
  const complain = (text: string): undefined => {
    scope.report("error", `flap_damping: ${text}`, line.position);
    return undefined;
  };
  const words = line.words.slice(1);
  const isOn = words[0] === undefined ? undefined : readBoolean(words[0]);
  if (isOn !== undefined) words.shift();
  if (isOn === false && words.length > 0) return complain(`'${words[0]}' behind off`);
  const found: { -readonly [K in keyof FlapDampingDraft]: FlapDampingDraft[K] } = { isOn: isOn ?? true };
  for (let at = 0; at < words.length; at += 2) {
    const [word = "", text] = words.slice(at, at + 2);
    if (!Object.hasOwn(OPTIONS, word)) return complain(`unknown option '${word}'`);
    const { key, min, max } = OPTIONS[word as keyof typeof OPTIONS];
    if (text === undefined) return complain(`${word} needs a number`);
    const number = readInteger(text, min, max);
    if (!number.ok) return complain(`${word}: ${number.reason}`);
    found[key] = number.value;
  }
  return found;
}

/** What counts for an instance: its own line, else the global one, else that of nobody. undefined: nothing is damped. */
export function completeFlapDamping(
  own: FlapDampingDraft | undefined,
  global: FlapDampingDraft | undefined,
  { name, priority }: { readonly name: string; readonly priority: number },
  report: Report,
): FlapDamping | undefined {
  const draft = own ?? global;
  if (draft?.isOn === false) return undefined;
  if (priority === OWNER_PRIORITY) {
    if (own !== undefined) report("warn", `(${name}) flap_damping has no effect with priority ${OWNER_PRIORITY}`);
    return undefined;
  }
  const { halfLifeS = DEFAULTS.halfLifeS, suppress = DEFAULTS.suppress, reuse = DEFAULTS.reuse } = draft ?? {};
  const maxSuppressS = draft?.maxSuppressS ?? Math.min(MAX_SECONDS, DEFAULT_MAX_HALF_LIVES * halfLifeS);
  if (reuse >= suppress) report("error", `(${name}) flap_damping: reuse ${reuse} is not below suppress ${suppress}`);
  else if (reuse * 2 ** (maxSuppressS / halfLifeS) < suppress)
    report(
      "error",
      `(${name}) flap_damping: with max_suppress ${maxSuppressS} no penalty reaches suppress ${suppress}`,
    );
  return Object.freeze({
    scope: draft === undefined ? "upstreams" : "all",
    halfLifeMs: halfLifeS * 1000,
    suppress,
    reuse,
    maxSuppressMs: maxSuppressS * 1000,
  });
}
