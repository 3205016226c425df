/** The line in a `reload_time_file`: when to reload. Pure. keepalived: reload_monitor.c. */

export type ReloadTime =
  /** Milliseconds of the wall clock; `isDaily`: the line has no date. */
  | { readonly kind: "at"; readonly atMs: number; readonly isDaily: boolean }
  /** keepalived's complaints, in order. */
  | { readonly kind: "bad"; readonly messages: readonly string[] }
  /** The file is empty. */
  | { readonly kind: "none" };

/** Bytes of a line that are looked at. */
const MAX_LINE = 64;
const EXACT = /^(?:(\d{2}|\d{4})-(\d{2})-(\d{2}) )?(\d{2}):(\d{2}):(\d{2})(Z?)$/;
/** What could be a time if it were written as it must be. */
const LOOSE = /^\s*(?:\d+-\d{1,2}-\d{1,2}\s+)?\d{1,2}:\d{1,2}:\d{1,2}/;
/** strptime(3): two digits of a year from here on are those of the last century. */
const CENTURY_PIVOT = 69;

/** Reads a file's text. Times are local, or UTC with a Z behind them. */
export function parseReloadTime(text: string, nowMs: number): ReloadTime {
  const line = (text.split("\n", 1)[0] as string).slice(0, MAX_LINE);
  if (line === "") return { kind: "none" };
  const match = EXACT.exec(line);
  if (match === null) {
    const why = LOOSE.test(line) ? `Reload time ${line} format is incorrect` : `Reload date/time ${line} invalid`;
    return bad(line, why);
  }
  const [, yearText, month, day, hour, minute, second, zone] = match;
  const isUtc = zone === "Z";
  const isDaily = yearText === undefined;
  const today = new Date(nowMs);
  const year = yearText === undefined ? (isUtc ? today.getUTCFullYear() : today.getFullYear()) : yearOf(yearText);
  const parts: Parts = {
    year,
    month: month === undefined ? (isUtc ? today.getUTCMonth() : today.getMonth()) : Number(month) - 1,
    day: day === undefined ? (isUtc ? today.getUTCDate() : today.getDate()) : Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  };
  const isInRange = parts.month >= 0 && parts.month < 12 && parts.day >= 1 && parts.day <= 31 && parts.hour < 24;
  if (!isInRange || parts.minute > 59 || parts.second > 60) return bad(line, `Reload date/time ${line} invalid`);
  const at = instant(parts, isUtc);
  if (!isSame(at, parts, isUtc)) return bad(line, `Reload time ${line} is not valid`);
  if (isDaily) {
    // The next one, which is not always 24 hours away.
    const next = at.getTime() > nowMs ? at : instant({ ...parts, day: parts.day + 1 }, isUtc);
    return { kind: "at", atMs: next.getTime(), isDaily };
  }
  if (at.getTime() <= nowMs)
    return {
      kind: "bad",
      messages: [`Reload time ${line} is in the past - ignoring`, "Reload date/time is in the past - ignoring"],
    };
  return { kind: "at", atMs: at.getTime(), isDaily };
}

interface Parts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

function bad(line: string, why: string): ReloadTime {
  return { kind: "bad", messages: [`${why} - ignoring`, `Invalid reload time '${line}' specified - ignoring`] };
}

function yearOf(text: string): number {
  const year = Number(text);
  return text.length === 4 ? year : year < CENTURY_PIVOT ? 2000 + year : 1900 + year;
}

function instant({ year, month, day, hour, minute, second }: Parts, isUtc: boolean): Date {
  return isUtc
    ? new Date(Date.UTC(year, month, day, hour, minute, second))
    : new Date(year, month, day, hour, minute, second);
}

/** The 30th of February is another day, and so is an hour that summer time leaves out. */
function isSame(at: Date, { month, day, hour, second }: Parts, isUtc: boolean): boolean {
  const found = isUtc
    ? [at.getUTCMonth(), at.getUTCDate(), at.getUTCHours(), at.getUTCSeconds()]
    : [at.getMonth(), at.getDate(), at.getHours(), at.getSeconds()];
  return [month, day, hour, second].every((part, index) => part === found[index]);
}

/** `2026-11-30 21:18:38`, local time. */
export function printReloadTime(atMs: number): string {
  const at = new Date(atMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
}
