/** Dates of HTTP fields, RFC 9110 §5.6.7: written in the preferred format, read in all three. Whole seconds since 1970. */

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

interface CivilTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** The Gregorian date and time of day of an instant, UTC. */
export function civilTime(epochS: number): CivilTime {
  const date = new Date(epochS * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
export function printHttpDate(epochS: number): string {
  const t = civilTime(epochS);
  const year = String(t.year).padStart(4, "0");
  return `${DAYS[t.weekday]}, ${two(t.day)} ${MONTHS[t.month]} ${year} ${two(t.hour)}:${two(t.minute)}:${two(t.second)} GMT`;
}

const IMF_FIXDATE = /^[^, ]*, *(\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d)/;
const RFC_850 = /^[^, ]*, *(\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d)/;
const ASCTIME = /^[^, ]* +([A-Z][a-z]{2}) {1,2}(\d\d?) (\d\d):(\d\d):(\d\d) (\d{4})/;

/** Seconds since 1970 of any of the three formats, undefined when malformed or no date of the calendar. */
export function parseHttpDate(text: string): number | undefined {
  let match = IMF_FIXDATE.exec(text);
  if (match !== null) return epoch(match[3], match[2], match[1], match[4], match[5], match[6]);
  match = RFC_850.exec(text);
  if (match !== null) {
    const year = Number(match[3]);
    return epoch(String(year + (year < 70 ? 2000 : 1900)), match[2], match[1], match[4], match[5], match[6]);
  }
  match = ASCTIME.exec(text);
  if (match !== null) return epoch(match[6], match[1], match[2], match[3], match[4], match[5]);
  return undefined;
}

type Part = string | undefined;

function epoch(year: Part, month: Part, day: Part, hour: Part, minute: Part, second: Part): number | undefined {
  const monthIndex = MONTHS.indexOf(month ?? "");
  if (monthIndex < 0) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (date.getUTCMonth() !== monthIndex || date.getUTCDate() !== Number(day)) return undefined;
  return date.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
}

/** `06/Nov/1994:08:49:37 +0000`, the time of the common log format; `offsetMinutes` east of UTC. */
export function printLogTime(epochS: number, offsetMinutes: number): string {
  const t = civilTime(epochS + offsetMinutes * 60);
  return `${two(t.day)}/${MONTHS[t.month]}/${t.year}:${two(t.hour)}:${two(t.minute)}:${two(t.second)} ${printOffset(offsetMinutes, "")}`;
}

/** `1994-11-06T08:49:37+00:00` */
export function printIsoTime(epochS: number, offsetMinutes: number): string {
  const t = civilTime(epochS + offsetMinutes * 60);
  return `${t.year}-${two(t.month + 1)}-${two(t.day)}T${two(t.hour)}:${two(t.minute)}:${two(t.second)}${printOffset(offsetMinutes, ":")}`;
}

/** `06-Nov-1994 08:49`, the time of a directory listing. */
export function printListingTime(epochS: number, offsetMinutes: number): string {
  const t = civilTime(epochS + offsetMinutes * 60);
  return `${two(t.day)}-${MONTHS[t.month]}-${t.year} ${two(t.hour)}:${two(t.minute)}`;
}

function printOffset(offsetMinutes: number, separator: string): string {
  const absolute = Math.abs(offsetMinutes);
  return `${offsetMinutes < 0 ? "-" : "+"}${two(Math.floor(absolute / 60))}${separator}${two(absolute % 60)}`;
}
