/** `reload_time_file`: reloads at the time that is written in a file, whenever that changes. keepalived: reload_monitor.c. */
import { existsSync, type FSWatcher, readFileSync, unlinkSync, watch } from "node:fs";
import path from "node:path";
import type { Log } from "../base/log.ts";
import { parseReloadTime, printReloadTime } from "./reload-time.ts";

/** The wall clock is looked at anew after so long: somebody may have set it. */
const LOOK_MS = 60_000;

export interface ReloadTimeSettings {
  readonly path: string;
  /** `reload_repeat`: the file stays, and a time without a date is one of every day. */
  readonly repeats: boolean;
}

export class ReloadTimer {
  readonly #log: Log;
  readonly #reload: () => void;
  #settings: ReloadTimeSettings | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #atMs: number | undefined;

  constructor(log: Log, reload: () => void) {
    this.#log = log;
    this.#reload = reload;
  }

  /** When the next reload is; undefined: none is scheduled. */
  get atMs(): number | undefined {
    return this.#atMs;
  }

  /** Watches this file from now on; what was scheduled by another one is forgotten. */
  configure(settings: ReloadTimeSettings | undefined): void {
    const isSame = settings?.path === this.#settings?.path && this.#watcher !== undefined;
    this.#settings = settings;
    if (isSame) return;
    this.close();
    if (settings === undefined) return;
    const folder = path.dirname(settings.path);
    try {
      // The folder, not the file: it comes and goes.
      this.#watcher = watch(folder, { persistent: false }, (_, name) => {
        if (!existsSync(folder)) this.#lose();
        else if (name === null || name === path.basename(settings.path)) this.#look();
      });
      this.#watcher.on("error", () => this.#lose());
    } catch {
      this.#log.write("notice", `Unable to monitor reload timer file directory ${folder}- ignoring`);
      return;
    }
    this.#look();
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearTimeout(this.#timer);
    this.#atMs = undefined;
  }

  #lose(): void {
    this.#log.write("notice", "Directory of reload timer file has disappeared. Monitoring stopped.");
    this.close();
  }

  #look(): void {
    const time = parseReloadTime(this.#text(), Date.now());
    if (time.kind === "bad") for (const message of time.messages) this.#log.write("notice", message);
    const before = this.#atMs;
    const after = time.kind === "at" ? time.atMs : undefined;
    if (before === after) return;
    if (after === undefined && before !== undefined)
      this.#log.write("notice", `Cancelling reload scheduled for ${printReloadTime(before)}`);
    else if (after !== undefined && before === undefined)
      this.#log.write("notice", `Scheduling reload for ${printReloadTime(after)}`);
    else if (after !== undefined && before !== undefined) {
      const change = `from ${printReloadTime(before)} to ${printReloadTime(after)}`;
      this.#log.write("notice", `Reload time updated ${change}`);
    }
    this.#schedule(after);
  }

  #text(): string {
    try {
      return readFileSync(this.#settings?.path ?? "", "latin1");
    } catch {
      return "";
    }
  }

  #schedule(atMs: number | undefined): void {
    clearTimeout(this.#timer);
    this.#atMs = atMs;
    if (atMs === undefined) return;
    this.#timer = setTimeout(() => this.#ring(atMs), Math.max(0, Math.min(LOOK_MS, atMs - Date.now())));
    this.#timer.unref();
  }

  #ring(atMs: number): void {
    if (Date.now() < atMs) {
      this.#schedule(atMs);
      return;
    }
    this.#atMs = undefined;
    const { path: file, repeats } = this.#settings ?? { path: "", repeats: true };
    if (repeats) {
      const next = parseReloadTime(this.#text(), Date.now());
      if (next.kind === "at" && next.isDaily) {
        this.#log.write("notice", `Scheduling reload for ${printReloadTime(next.atMs)}`);
        this.#schedule(next.atMs);
      }
    } else {
      try {
        unlinkSync(file);
      } catch (error) {
        this.#log.write("error", `cannot remove ${file}: ${(error as Error).message}`);
      }
    }
    this.#reload();
  }
}
