/** `~SEQ(name,start,step,end)`, `~SEQx(…)` in hexadecimal and `~LST(name,v1,v2…)`: one line of a keepalived.conf that stands for many. */

/** Lines that one repeated line may become. */
export const MAX_REPEATS = 4096;

const REPEATER = /^~(SEQx?|LST)\s*\(([^()]*)\)\s*/;

/** What a line with a repeater becomes: the same text without it, once per row of values. */
export interface Repetition {
  readonly text: string;
  /** Variable → value, one map per line. */
  readonly rows: readonly ReadonlyMap<string, string>[];
}

/** The repeater at the start of a line; undefined when there is none; `errors` in keepalived's words when it is malformed. */
export function parseRepeater(line: string): Repetition | { readonly errors: readonly string[] } | undefined {
  const match = REPEATER.exec(line);
  if (match === null) return /^~(SEQx?|LST)\b/.test(line) ? { errors: invalid(line) } : undefined;
  const kind = match[1] as "SEQ" | "SEQx" | "LST";
  const text = line.slice(match[0].length);
  const rows = kind === "LST" ? listRows(match[2] as string) : sequenceRows(match[2] as string, kind === "SEQx");
  return rows === undefined ? { errors: invalid(line) } : { text, rows };
}

function invalid(line: string): string[] {
  if (line.startsWith("~LST")) return [`Invalid ~LST specification '${line}'`];
  return [`Invalid ~SEQ definition '${line}'`, `Invalid ~SEQ specification '${line}'`];
}

/** `name,[start,[step,]]end`: as many numbers as are given, counted like `seq`. */
function sequenceRows(parameters: string, isHex: boolean): ReadonlyMap<string, string>[] | undefined {
  const [name, ...texts] = parameters.split(",").map((part) => part.trim());
  if (!isName(name) || texts.length < 1 || texts.length > 3) return undefined;
  const numbers = texts.map((text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN));
  if (numbers.some(Number.isNaN)) return undefined;
  const end = numbers.at(-1) as number;
  const start = numbers.length > 1 ? (numbers[0] as number) : 1;
  const step = numbers.length === 3 ? (numbers[1] as number) : end < start ? -1 : 1;
  if (step === 0 || (isHex && Math.min(start, end) < 0)) return undefined;
  const rows: ReadonlyMap<string, string>[] = [];
  for (let value = start; step > 0 ? value <= end : value >= end; value += step) {
    if (rows.length >= MAX_REPEATS) return undefined;
    rows.push(new Map([[name, value.toString(isHex ? 16 : 10)]]));
  }
  return rows;
}

/** `name,v1,v2…`, or `{a,b},{1,2},{3,4}…` with several variables at once. */
function listRows(parameters: string): ReadonlyMap<string, string>[] | undefined {
  const groups = [...parameters.matchAll(/\{([^{}]*)\}|([^,{}\s][^,{}]*)/g)].map((match) =>
    (match[1] ?? (match[2] as string)).split(",").map((part) => part.trim()),
  );
  const [names, ...values] = groups;
  if (names === undefined || values.length === 0 || values.length > MAX_REPEATS || !names.every(isName))
    return undefined;
  if (values.some((row) => row.length > names.length)) return undefined;
  return values.map((row) => new Map(names.map((name, index) => [name, row[index] ?? ""])));
}

function isName(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9_]+$/.test(text);
}
