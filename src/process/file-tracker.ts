/** Reads the numbers of track files whenever they change. keepalived's counterpart: track_file.c with inotify. */
import { type FSWatcher, readFileSync, watch, writeFileSync } from "node:fs";
import path from "node:path";
import type { Log } from "../base/log.ts";
import type { TrackFile } from "../conf/keepalived/config.ts";

/** The number at the start of the text; undefined when there is none. An empty file is 0. */
export function parseTrackFile(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return 0;
  const match = /^[+-]?\d+/.exec(trimmed);
  return match === null ? undefined : Number(match[0]);
}

export class FileTracker {
  readonly #watchers: FSWatcher[] = [];
  readonly #values = new Map<string, number | undefined>();

  constructor(files: readonly TrackFile[], log: Log, onValue: (name: string, value: number | undefined) => void) {
    for (const file of files) {
      initialise(file, log);
      const read = (): void => {
        const value = readValue(file);
        if (this.#values.has(file.name) && this.#values.get(file.name) === value) return;
        this.#values.set(file.name, value);
        onValue(file.name, value);
      };
      read();
      try {
        // The folder, not the file: editors and scripts replace files.
        const watcher = watch(path.dirname(file.path), (_, name) => {
          if (name === null || name === path.basename(file.path)) read();
        });
        watcher.on("error", (error) => log.write("error", `track_file ${file.name}: ${error.message}`));
        this.#watchers.push(watcher);
      } catch (error) {
        log.write("error", `track_file ${file.name} cannot be watched: ${(error as Error).message}`);
      }
    }
  }

  get values(): ReadonlyMap<string, number | undefined> {
    return this.#values;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }
}

function readValue(file: TrackFile): number | undefined {
  try {
    return parseTrackFile(readFileSync(file.path, "latin1").slice(0, 128));
  } catch {
    return undefined;
  }
}

function initialise({ path: file, initialise: settings, name }: TrackFile, log: Log): void {
  if (settings === undefined) return;
  try {
    writeFileSync(file, `${settings.value}\n`, { flag: settings.overwrite ? "w" : "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      log.write("error", `track_file ${name} cannot be initialised: ${(error as Error).message}`);
  }
}
