/** The number formats of nginx.conf: sizes, offsets and times, as `ngx_parse_size`, `_offset` and `_time` read them. */

/** The largest value that nginx keeps (signed 64 bits). Above 2^53 the result here is rounded. */
const MAX = 2n ** 63n - 1n;
const DIGITS = /^[0-9]+$/;

function scaled(digits: string, scale: bigint): number | undefined {
  if (!DIGITS.test(digits)) return undefined;
  const value = BigInt(digits) * scale;
  return value > MAX ? undefined : Number(value);
}

/** A decimal number without sign; undefined when it is anything else. */
export function parseNumber(text: string): number | undefined {
  return scaled(text, 1n);
}

/** A number with up to `point` decimals as an integer of 10^-point (`1.5` with point 2 is 150); undefined otherwise. */
export function parseFixedPoint(text: string, point: number): number | undefined {
  const match = /^([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  if (match === null || text === "" || text === ".") return undefined;
  const fraction = match[2] ?? "";
  if (fraction.length > point) return undefined;
  return scaled((match[1] as string) + fraction.padEnd(point, "0"), 1n);
}

const SIZE_UNITS: Readonly<Record<string, bigint>> = { k: 1024n, m: 1024n ** 2n };
const OFFSET_UNITS: Readonly<Record<string, bigint>> = { ...SIZE_UNITS, g: 1024n ** 3n };

function parseBytes(text: string, units: Readonly<Record<string, bigint>>): number | undefined {
  const scale = units[text.slice(-1).toLowerCase()];
  return scale === undefined ? scaled(text, 1n) : scaled(text.slice(0, -1), scale);
}

/** Bytes in memory, `8k` or `1m`; undefined when malformed. */
export function parseSize(text: string): number | undefined {
  return parseBytes(text, SIZE_UNITS);
}

/** Bytes in a file, `8k`, `1m` or `1g`; undefined when malformed. */
export function parseOffset(text: string): number | undefined {
  return parseBytes(text, OFFSET_UNITS);
}

/** Units of time from long to short, in milliseconds; they must come in this order, each at most once. */
const TIME_UNITS = ["y", "M", "w", "d", "h", "m", "s", "ms"] as const;
const UNIT_MS: Readonly<Record<(typeof TIME_UNITS)[number], bigint>> = {
  y: 31_536_000_000n,
  M: 2_592_000_000n,
  w: 604_800_000n,
  d: 86_400_000n,
  h: 3_600_000n,
  m: 60_000n,
  s: 1000n,
  ms: 1n,
};
const PART = /([0-9]*)(ms|[yMwdhms ])( *)/y;

/** Milliseconds: `1h30m`, `10s 500ms`, a bare number is seconds; no years and months; undefined when malformed. */
export function parseMsec(text: string): number | undefined {
  return parseTime(text, "w", "ms");
}

/** Seconds: `1y`, `1h30m`, a bare number is seconds; no milliseconds; undefined when malformed. */
export function parseSec(text: string): number | undefined {
  const ms = parseTime(text, "y", "s");
  return ms === undefined ? undefined : ms / 1000;
}

function parseTime(
  text: string,
  longest: (typeof TIME_UNITS)[number],
  shortest: (typeof TIME_UNITS)[number],
): number | undefined {
  if (!/[0-9]/.test(text)) return undefined;
  let total = 0n;
  let next = TIME_UNITS.indexOf(longest);
  const last = TIME_UNITS.indexOf(shortest);
  let offset = 0;
  while (offset < text.length) {
    const rest = text.slice(offset);
    if (DIGITS.test(rest)) return sum(total, BigInt(rest) * 1000n);
    PART.lastIndex = offset;
    const match = PART.exec(text);
    if (match === null) return undefined;
    // A blank behind a bare number ends it as seconds do, and nothing but a bare number may follow.
    const blank = match[2] === " ";
    const unit = blank ? "s" : (match[2] as (typeof TIME_UNITS)[number]);
    const rank = TIME_UNITS.indexOf(unit);
    if (rank < next || rank > last) return undefined;
    next = blank ? TIME_UNITS.length : rank + 1;
    total += BigInt(match[1] === "" ? 0 : (match[1] as string)) * UNIT_MS[unit];
    if (total > MAX) return undefined;
    offset = PART.lastIndex;
  }
  return sum(total, 0n);
}

function sum(a: bigint, b: bigint): number | undefined {
  return a + b > MAX ? undefined : Number(a + b);
}
