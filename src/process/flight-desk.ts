/**
 * The supervisor's side of the flight recorder: the memory that VRRP processes write, read here into a record of the node, saved behind
 * every change of role and when a process has died, and sent to whoever asks why.
 */
import os from "node:os";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Log } from "../base/log.ts";
import { TANDEM_VERSION } from "../base/version.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { close } from "../os/ffi/files.ts";
import { monotonicClock } from "../os/timer.ts";
import type { FlightMemory } from "../vrrp/flight-recorder.ts";
import { MAX_RECORD_BYTES as MAX_SENT_BYTES } from "../vrrp/partner-records.ts";
import type { NotifyEvent, NotifyState } from "../vrrp/ports.ts";
import type { FlightEntry, RecordedAdvert } from "../wire/flight/entry.ts";
import {
  type FlightRecord,
  printFlightRecord,
  RECORD_MS,
  readFlight,
  readFlightRecord,
} from "../wire/flight/record.ts";
import { readRing } from "../wire/flight/ring.ts";
import { encodePcapHeader, encodePcapRecord } from "../wire/pcap.ts";
import { type FlightText, MAX_RECORD_BYTES, saveFlight } from "./flight-files.ts";
import { createFlightMemory, mapFlightMemory } from "./flight-memory.ts";

/** What follows a change of role belongs to its story. */
const AFTERMATH_MS = 3000;
const TRANSITIONS: ReadonlySet<NotifyState> = new Set(["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"]);
/** One that is being written, and one that waits for it. */
const MAX_UNSAVED = 2;
const MAX_NOTES = 100;

/** A partner's record as it came over the channel. */
export interface PackedRecord {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly interface: string;
  /** The partner's clock less ours; undefined: not compared yet. */
  readonly offsetMs: number | undefined;
  readonly roundTripMs: number | undefined;
  /** undefined: it has not answered in time. */
  readonly bytes: Uint8Array | undefined;
}

/** One node's part of the answer to `tandem why`. */
export interface AlignedRecord {
  readonly record: FlightRecord;
  /** Its clock less that of the node which was asked; null: not known. */
  readonly offsetMs: number | null;
  readonly roundTripMs: number | null;
}

/** The answer to `tandem why`. */
export interface FlightAnswer {
  /** The node that was asked comes first. */
  readonly records: readonly AlignedRecord[];
  /** Partners that are there and have sent no record. */
  readonly silent: readonly string[];
}

export class FlightDesk {
  readonly #log: Log;
  readonly #clock = monotonicClock();
  #config: KeepalivedConfig;
  #fd: number | undefined;
  #memory: FlightMemory | undefined;
  #pending: { what: string; readonly timer: NodeJS.Timeout } | undefined;
  #saving: Promise<void> = Promise.resolve();
  /** Records that are being written or wait for it. */
  #unsaved = 0;
  readonly #notes: FlightEntry[] = [];
  #hasComplained = false;

  constructor(log: Log, config: KeepalivedConfig) {
    this.#log = log;
    this.#config = config;
    try {
      this.#fd = createFlightMemory();
      this.#memory = mapFlightMemory(this.#fd);
    } catch (error) {
      this.#log.write("warn", `flight recorder: nothing is recorded: ${(error as Error).message}`);
    }
  }

  /** For the VRRP process to inherit; undefined: there is no memory. */
  get fd(): number | undefined {
    return this.#memory === undefined ? undefined : this.#fd;
  }

  configure(config: KeepalivedConfig): void {
    this.#config = config;
  }

  /** When an instance has another role, the record is saved in a moment, once for all that happens until then. */
  told({ name, state }: Pick<NotifyEvent, "name" | "state">): void {
    if (!TRANSITIONS.has(state)) return;
    const what = `${name}-${state}`;
    if (this.#pending !== undefined) {
      this.#pending.what = what; // the last one names the file
      return;
    }
    this.#pending = { what, timer: setTimeout(() => this.#settle(), AFTERMATH_MS) };
    this.#pending.timer.unref();
  }

  /** The VRRP process has died: what it has written is still there. */
  died(how: string): void {
    this.#save(`VRRP-process-died-${how}`);
  }

  /** These routers were left in place of the dead process, which could not say so itself. */
  left(routers: readonly string[]): void {
    const reason = "its process has died";
    for (const { name } of this.#config.instances)
      if (routers.includes(name))
        this.#add({ kind: "role", atMs: Date.now(), instance: name, from: "MASTER", to: "INIT", reason, priority: 0 });
  }

  /** Something that the supervisor knows itself. */
  note(text: string): void {
    this.#add({ kind: "network", atMs: Date.now(), text });
  }

  #add(entry: FlightEntry): void {
    this.#notes.push(entry);
    if (this.#notes.length > MAX_NOTES) this.#notes.shift();
  }

  /** Writes a report beside the records. */
  report(what: string, report: object): void {
    this.#write(what, () => ({ json: `${JSON.stringify(report)}\n`, pcap: undefined }));
  }

  #settle(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    this.#pending = undefined;
    this.#save(pending.what);
  }

  /** Resolves when everything is on disk. */
  async close(): Promise<void> {
    this.#settle();
    await this.#saving;
    if (this.#fd !== undefined) close(this.#fd);
    this.#fd = undefined;
  }

  #save(what: string): void {
    if (this.#memory === undefined) return;
    this.#write(what, () => {
      const { record, adverts } = this.#read(what);
      return { json: printFlightRecord(record, MAX_RECORD_BYTES), pcap: capture(adverts) };
    });
  }

  #write(what: string, make: () => FlightText): void {
    if (this.#config.globals.flight.files === 0) return;
    // A disk that hangs is not waited for: what happens meanwhile is in the next record, too.
    if (this.#unsaved >= MAX_UNSAVED) return;
    this.#unsaved++;
    const wallMs = Date.now();
    const text = make();
    this.#saving = this.#saving.then(async () => {
      try {
        await saveFlight(this.#config.globals.flight, { what, wallMs }, text);
        this.#hasComplained = false;
      } catch (error) {
        if (!this.#hasComplained) this.#log.write("warn", `flight recorder: not saved: ${(error as Error).message}`);
        this.#hasComplained = true;
      }
      this.#unsaved--;
    });
  }

  #read(why: string): { readonly record: FlightRecord; readonly adverts: readonly RecordedAdvert[] } {
    const memory = this.#memory;
    const records = memory === undefined ? [] : [...readRing(memory.events), ...readRing(memory.adverts)];
    const wallMs = Date.now();
    const { entries: read, adverts } = readFlight(records, this.#clock.now(), wallMs);
    const notes = this.#notes.filter(({ atMs }) => wallMs - atMs <= RECORD_MS);
    const entries = notes.length === 0 ? read : [...read, ...notes].sort((a, b) => a.atMs - b.atMs);
    const { globals, instances } = this.#config;
    const routers = instances.map(({ name, virtualRouterId: vrid, family, interface: link = "" }) => ({
      name,
      vrid,
      family,
      interface: link,
    }));
    const node = globals.routerId ?? os.hostname();
    return { record: { version: TANDEM_VERSION, node, savedMs: wallMs, why, routers, entries }, adverts };
  }

  /** This node's record for a partner: packed, and as much of the latest as the channel carries. */
  packed(): Uint8Array {
    const { record } = this.#read("a partner has asked");
    for (let maxBytes = MAX_RECORD_BYTES; maxBytes > 0; maxBytes >>= 1) {
      const packed = gzipSync(printFlightRecord(record, maxBytes));
      if (packed.length <= MAX_SENT_BYTES.flight) return packed;
    }
    return new Uint8Array(0);
  }

  /** This node's record with those of its partners. */
  answer(partners: readonly PackedRecord[]): FlightAnswer {
    const own: AlignedRecord = { record: this.#read("asked for").record, offsetMs: 0, roundTripMs: 0 };
    const records = [own];
    const silent: string[] = [];
    for (const { name, offsetMs = null, roundTripMs = null, bytes } of partners) {
      const record = bytes === undefined ? undefined : unpack(bytes);
      if (record === undefined) silent.push(name);
      else records.push({ record, offsetMs, roundTripMs });
    }
    return { records, silent };
  }
}

function unpack(bytes: Uint8Array): FlightRecord | undefined {
  try {
    const record = readFlightRecord(gunzipSync(bytes, { maxOutputLength: MAX_RECORD_BYTES }).toString("utf8"));
    return typeof record === "string" ? undefined : record;
  } catch {
    return undefined; // not packed, or too much
  }
}

function capture(adverts: readonly RecordedAdvert[]): Uint8Array {
  return Buffer.concat([encodePcapHeader("ip"), ...adverts.map(({ atMs, packet }) => encodePcapRecord(atMs, packet))]);
}
