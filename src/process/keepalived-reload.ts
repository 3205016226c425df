/**
 * How keepalived's half is reloaded: checked first (`reload_check_config`), with a sign that its files are being read
 * (`reload_file`), when it is told to or at its time (`reload_time_file`). keepalived: start_reload of main.c.
 */
import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { EXIT, type LoadedKeepalived } from "../conf/keepalived/load.ts";
import { printKeepalivedDiagnostic } from "../conf/keepalived/report.ts";
import { ReloadTimer } from "./reload-timer.ts";

/** keepalived's own file; a check without a log file of its own is told nowhere. */
const NOWHERE = "/dev/null";

export interface KeepalivedReloadOptions<L extends LoadedKeepalived> {
  readonly log: Log;
  /** Reads the files; says nothing. */
  load(): L;
  /** Says what is to be said about them. */
  complain(loaded: L): void;
  /** Takes over what can be used. */
  apply(loaded: L): void;
  /** `reload_file` without a name. */
  readonly reloadFile: string;
}

export class KeepalivedReload<L extends LoadedKeepalived> {
  readonly #options: KeepalivedReloadOptions<L>;
  readonly #timer: ReloadTimer;
  #settings: KeepalivedConfig["globals"]["reload"];

  constructor(globals: KeepalivedConfig["globals"], options: KeepalivedReloadOptions<L>) {
    this.#options = options;
    this.#settings = globals.reload;
    this.#timer = new ReloadTimer(options.log, () => this.reload());
    this.#timer.configure(globals.reload.time);
  }

  /** The configuration stays as it is when the new one can't be used, or does not pass its check. */
  reload(): void {
    const { log, complain, apply } = this.#options;
    const loaded = this.#read();
    if (this.#settings.check !== undefined && !this.#passes(loaded, this.#settings.check.log ?? NOWHERE)) return;
    complain(loaded);
    if (!loaded.isUsable) {
      log.write("error", "Reload refused: the configuration cannot be used, the old one stays");
      return;
    }
    this.#settings = loaded.config.globals.reload;
    apply(loaded);
    this.#timer.configure(this.#settings.time);
  }

  close(): void {
    this.#timer.close();
  }

  /** The file is there for as long as the configuration is being read. */
  #read(): L {
    const { log, load } = this.#options;
    const { file } = this.#settings;
    if (file === undefined) return load();
    const name = file.path ?? this.#options.reloadFile;
    try {
      closeSync(openSync(name, "w", 0o644));
    } catch (error) {
      const { errno = 0, code } = error as NodeJS.ErrnoException;
      log.write("error", `Failed to create reload file (${name}) ${Math.abs(errno)} - ${code}`);
      return load();
    }
    try {
      return load();
    } finally {
      try {
        unlinkSync(name);
      } catch {
        // Somebody else has removed it: nobody waits for that any more.
      }
    }
  }

  #passes(loaded: L, file: string): boolean {
    const { log } = this.#options;
    log.write("notice", "validate conf before Reload");
    try {
      const said = loaded.diagnostics.filter(({ severity }) => severity !== "info");
      const text = said.map((diagnostic) => `${printKeepalivedDiagnostic(diagnostic)}\n`).join("");
      writeFileSync(file, text, { mode: 0o600 });
    } catch (error) {
      log.write("error", `config check log ${file}: ${(error as Error).message}`);
    }
    if (loaded.exitStatus === EXIT.ok && loaded.isUsable) return true;
    log.write("error", `New config failed validation, see ${file} for details`);
    return false;
  }
}
