/** A node's record: the last minutes of its flight recorder, made of the rings' entries, fit for a file, a partner and people. */
import { fromUtf8 } from "../../base/bytes.ts";
import { printIp } from "../../base/ip.ts";
import { decodeIpv4, type Ipv4Packet } from "../ipv4.ts";
import { decodeAdvertHeader, VRRP_PROTOCOL } from "../vrrp/advert.ts";
import { AH_BYTES, AH_PROTOCOL } from "../vrrp/ah.ts";
import { type AdvertRun, decodeRecord, type FlightEntry, type RecordedAdvert, readFlightEntry } from "./entry.ts";
import type { RingRecord } from "./ring.ts";

/** How far back a record goes. */
export const RECORD_MS = 600_000;
const IPV6_HEADER_BYTES = 40;
/** An advert that comes later than this many intervals, and by so much, was missed. */
const MISSED_INTERVALS = 1.5;
const MISSED_MS = 100;

/** A router as its node's configuration calls it: adverts only have its number. */
export interface RecordedRouter {
  readonly name: string;
  readonly vrid: number;
  readonly family: 4 | 6;
  readonly interface: string;
}

/** What a node's flight recorder holds. Instants are milliseconds since the epoch, by the clock of that node. */
export interface FlightRecord {
  readonly version: string;
  readonly node: string;
  readonly savedMs: number;
  /** Why it was saved, a phrase. */
  readonly why: string;
  readonly routers: readonly RecordedRouter[];
  /** Oldest first. */
  readonly entries: readonly FlightEntry[];
}

/**
 * Entries of the last minutes, with adverts as runs, and the adverts themselves. `nowMs` and `wallMs` are the same instant on the clock
 * of the rings and on that of people.
 */
export function readFlight(
  records: readonly RingRecord[],
  nowMs: number,
  wallMs: number,
): { readonly entries: readonly FlightEntry[]; readonly adverts: readonly RecordedAdvert[] } {
  const entries: FlightEntry[] = [];
  const adverts: RecordedAdvert[] = [];
  for (const record of records) {
    if (nowMs - record.atMs > RECORD_MS) continue;
    const read = decodeRecord(record);
    if (read === undefined) continue;
    const atMs = wallMs - (nowMs - read.atMs);
    if ("packet" in read) adverts.push({ ...read, atMs });
    else entries.push({ ...read, atMs });
  }
  return { entries: [...entries, ...advertRuns(adverts)].sort((a, b) => a.atMs - b.atMs), adverts };
}

type Growing = { -readonly [K in keyof AdvertRun]: AdvertRun[K] } & { readonly atMs: number };

/** Adverts one after the other, as runs of those that are alike and on schedule. */
export function advertRuns(adverts: readonly RecordedAdvert[]): (AdvertRun & { readonly atMs: number })[] {
  const runs: Growing[] = [];
  const last = new Map<string, Growing>();
  for (const advert of adverts) {
    const read = readAdvert(advert.packet);
    if (read === undefined) continue;
    const { atMs, direction } = advert;
    const key = [direction, advert.interface, read.source, read.vrid, read.family].join(" ");
    const run = last.get(key);
    const gapMs = run === undefined ? 0 : atMs - run.untilMs;
    const isOnTime = gapMs <= Math.max(MISSED_INTERVALS * read.intervalMs, read.intervalMs + MISSED_MS);
    if (run?.priority === read.priority && isOnTime) {
      run.count++;
      run.untilMs = atMs;
      run.longestGapMs = Math.max(run.longestGapMs, gapMs);
      continue;
    }
    const { source, vrid, family, priority } = read;
    const next: Growing = {
      atMs,
      kind: "adverts",
      direction,
      interface: advert.interface,
      source,
      vrid,
      family,
      priority,
      count: 1,
      untilMs: atMs,
      longestGapMs: 0,
    };
    last.set(key, next);
    runs.push(next);
  }
  return runs;
}

interface ReadAdvert {
  readonly source: string;
  readonly vrid: number;
  readonly family: 4 | 6;
  readonly priority: number;
  readonly intervalMs: number;
}

/** What a summary tells of an advert; undefined for anything else. */
function readAdvert(packet: Uint8Array): ReadAdvert | undefined {
  const isIpv6 = (packet[0] ?? 0) >> 4 === 6;
  const outer = isIpv6 ? undefined : decodeIpv4(packet);
  if (outer?.ok === false || (isIpv6 && packet.length < IPV6_HEADER_BYTES)) return undefined;
  const message = outer === undefined ? packet.subarray(IPV6_HEADER_BYTES) : vrrpOf(outer.value);
  const header = decodeAdvertHeader(message);
  if (!header.ok) return undefined;
  const { vrid, priority, intervalCs } = header.value;
  return {
    source: printIp(outer === undefined ? packet.slice(8, 24) : outer.value.source),
    vrid,
    family: isIpv6 ? 6 : 4,
    priority,
    intervalMs: intervalCs * 10,
  };
}

function vrrpOf({ protocol, payload }: Ipv4Packet): Uint8Array {
  if (protocol === AH_PROTOCOL) return payload.subarray(AH_BYTES);
  return protocol === VRRP_PROTOCOL ? payload : new Uint8Array(0);
}

/** Text for a file and the way to a partner. When it is longer than `maxBytes` the oldest entries stay behind. */
export function printFlightRecord(record: FlightRecord, maxBytes: number): string {
  const lines = record.entries.map((entry) => JSON.stringify(entry));
  const { entries: _, ...rest } = record;
  const head = `${JSON.stringify(rest).slice(0, -1)},"entries":[`;
  let left = maxBytes - fromUtf8(head).length - "\n]}\n".length;
  let first = lines.length;
  for (; first > 0; first--) {
    left -= fromUtf8(lines[first - 1] as string).length + ",\n".length;
    if (left < 0) break;
  }
  return `${head}\n${lines.slice(first).join(",\n")}\n]}\n`;
}

/** Reads what `printFlightRecord` has made, here or elsewhere; a sentence when it is no such thing. */
export function readFlightRecord(text: string): FlightRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not a flight record: no JSON";
  }
  if (typeof value !== "object" || value === null) return "not a flight record";
  const { version, node, savedMs, why, routers, entries } = value as Record<string, unknown>;
  const isNamed = typeof version === "string" && typeof node === "string" && typeof why === "string";
  if (!isNamed || typeof savedMs !== "number" || !Array.isArray(entries) || !Array.isArray(routers))
    return "not a flight record";
  return {
    version,
    node,
    savedMs,
    why,
    routers: routers.flatMap((router) => readRouter(router) ?? []),
    entries: entries.flatMap((entry) => readFlightEntry(entry) ?? []),
  };
}

function readRouter(value: unknown): RecordedRouter | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, vrid, family, interface: link } = value as Record<string, unknown>;
  if (typeof name !== "string" || typeof vrid !== "number" || typeof link !== "string") return undefined;
  return family === 4 || family === 6 ? { name, vrid, family, interface: link } : undefined;
}
