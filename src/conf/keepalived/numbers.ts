/** Numbers of a keepalived.conf, with keepalived's words for what is wrong with them. */

/** A number, or the message that keepalived prints before that of the keyword. */
export type NumberRead =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly reason: string };

const MAX_U32 = 0xffff_ffff;
const MIN_I32 = -0x8000_0000;
const MAX_I32 = 0x7fff_ffff;

/** A decimal integer from `min` to `max`; a negative one is called so when `min` is not negative. */
export function readInteger(text: string, min: number, max: number): NumberRead {
  if (min >= 0 && /^\s*-/.test(text)) return fail(`negative number '${text}'`);
  if (!/^[+-]?[0-9]+$/.test(text)) return fail(`invalid number '${text}'`);
  const value = Number(text);
  if (min >= 0 && value > MAX_U32) return fail(`number '${text}' outside unsigned integer range`);
  if (min < 0 && (value < MIN_I32 || value > MAX_I32)) return fail(`number '${text}' outside integer range`);
  return value < min || value > max ? fail(`number '${text}' outside range [${min}, ${max}]`) : { ok: true, value };
}

/** A decimal fraction from `min` to `max` with at most so many decimals, none of which is lost. */
export function readDecimal(text: string, min: number, max: number, decimals = 6): NumberRead {
  if (/^\s*-/.test(text)) return fail(`negative number '${text}'`);
  const match = /^\+?([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  if (match === null || `${match[1]}${match[2] ?? ""}` === "") return fail(`invalid number '${text}'`);
  if ((match[2] ?? "").replace(/0+$/, "").length > decimals)
    return fail(`number '${text}' has too many decimal places`);
  const value = Number(text);
  if (value >= min && value <= max) return { ok: true, value };
  return fail(`number '${text}' outside range [${min.toFixed(decimals)}, ${max.toFixed(decimals)}]`);
}

function fail(reason: string): NumberRead {
  return { ok: false, reason };
}

/** `on|true|yes` and `off|false|no`; undefined for anything else. */
export function readBoolean(text: string): boolean | undefined {
  if (/^(on|true|yes)$/i.test(text)) return true;
  return /^(off|false|no)$/i.test(text) ? false : undefined;
}
