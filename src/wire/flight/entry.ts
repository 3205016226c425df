/**
 * What a flight recorder knows: entries as they lie in its memory (wire/flight/ring.ts), and as a record of them that people and
 * other nodes read. In memory an advert is its whole IP packet behind the name of its link, everything else is JSON.
 */
import { type Bytes, concatBytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import type { RingRecord } from "./ring.ts";

/** Longest text of an entry; the rest is cut. */
const MAX_TEXT_CHARACTERS = 400;
const SENT = 1;
const HEARD = 2;
const EVENT = 3;

/** Everything that is not an advert. */
export type FlightEvent =
  | {
      readonly kind: "role";
      readonly instance: string;
      /** keepalived's words: INIT, BACKUP, MASTER, FAULT. */
      readonly from: string;
      readonly to: string;
      readonly reason: string;
      readonly priority: number;
    }
  /** A result of something that is tracked, when it differs from the one before. */
  | { readonly kind: "check"; readonly name: string; readonly text: string }
  /** What the kernel has told of links and addresses. */
  | { readonly kind: "network"; readonly text: string }
  | { readonly kind: "config"; readonly text: string }
  /** The timer of the process has rung late, so often within a second, and by so much at worst. */
  | { readonly kind: "late"; readonly lateMs: number; readonly count: number }
  /** A line of the log. */
  | { readonly kind: "log"; readonly level: string; readonly text: string };

/** Adverts of one router, one like the other and on schedule. */
export interface AdvertRun {
  readonly kind: "adverts";
  readonly direction: "sent" | "heard";
  readonly interface: string;
  readonly source: string;
  readonly vrid: number;
  readonly family: 4 | 6;
  readonly priority: number;
  readonly count: number;
  /** Instant of the last one. */
  readonly untilMs: number;
  readonly longestGapMs: number;
}

/** Something that happened at an instant: milliseconds since the epoch, in a record. */
export type FlightEntry = (FlightEvent | AdvertRun) & { readonly atMs: number };

/** An advert as it was on the wire. */
export interface RecordedAdvert {
  readonly atMs: number;
  readonly direction: "sent" | "heard";
  readonly interface: string;
  /** A whole IP packet. */
  readonly packet: Bytes;
}

/** The kind and the payload of an event in a ring. */
export function encodeEvent(event: FlightEvent): { readonly kind: number; readonly payload: Bytes } {
  return { kind: EVENT, payload: fromUtf8(JSON.stringify(shortened(event))) };
}

/** A text that somebody else has made may be of any length. */
function shortened(event: FlightEvent): FlightEvent {
  const cut = (text: string): string => text.slice(0, MAX_TEXT_CHARACTERS);
  switch (event.kind) {
    case "role":
      return { ...event, reason: cut(event.reason) };
    case "late":
      return event;
    default:
      return { ...event, text: cut(event.text) };
  }
}

/** The kind and the payload of an advert in a ring. */
export function encodeRecordedAdvert(
  direction: RecordedAdvert["direction"],
  link: string,
  packet: Bytes,
): { readonly kind: number; readonly payload: Bytes } {
  const name = fromUtf8(link);
  return {
    kind: direction === "sent" ? SENT : HEARD,
    payload: concatBytes([Uint8Array.of(name.length), name, packet]),
  };
}

/** What a record of a ring is; undefined: nothing that this version knows. */
export function decodeRecord({ kind, atMs, payload }: RingRecord): RecordedAdvert | FlightEntry | undefined {
  if (kind === EVENT) {
    const event = readJson(utf8(payload));
    return event === undefined ? undefined : readFlightEntry({ ...event, atMs });
  }
  if (kind !== SENT && kind !== HEARD) return undefined;
  const end = 1 + (payload[0] ?? 0);
  if (payload.length < end) return undefined;
  return {
    atMs,
    direction: kind === SENT ? "sent" : "heard",
    interface: utf8(payload, 1, end),
    packet: payload.subarray(end),
  };
}

function readJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // it was longer than a record may be
  }
}

/** For each kind, its properties and what they are. */
const SHAPES: Readonly<Record<FlightEntry["kind"], Readonly<Record<string, "string" | "number">>>> = {
  role: { instance: "string", from: "string", to: "string", reason: "string", priority: "number" },
  check: { name: "string", text: "string" },
  network: { text: "string" },
  config: { text: "string" },
  late: { lateMs: "number", count: "number" },
  log: { level: "string", text: "string" },
  adverts: {
    direction: "string",
    interface: "string",
    source: "string",
    vrid: "number",
    family: "number",
    priority: "number",
    count: "number",
    untilMs: "number",
    longestGapMs: "number",
  },
};

/** An entry that another node, or a file, has brought; undefined when it is none. Unknown properties are left out. */
export function readFlightEntry(value: unknown): FlightEntry | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const given = value as Record<string, unknown>;
  const { kind, atMs } = given;
  if (typeof kind !== "string" || !Object.hasOwn(SHAPES, kind) || !isInstant(atMs)) return undefined;
  const entry: Record<string, unknown> = { atMs, kind };
  for (const [name, type] of Object.entries(SHAPES[kind as FlightEntry["kind"]])) {
    const property = given[name];
    if (typeof property !== type || (type === "number" && !Number.isFinite(property))) return undefined;
    entry[name] = property;
  }
  return entry as unknown as FlightEntry;
}

function isInstant(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
