/** All witnesses of a configuration: one watch for each instance that has one. */
import os from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig, SplitBrainSettings } from "../conf/keepalived/config.ts";
import { monotonicClock } from "../os/timer.ts";
import { WitnessWatch } from "./witness.ts";

interface Watched {
  readonly settings: SplitBrainSettings;
  readonly watch: WitnessWatch;
}

export class Witnesses {
  readonly #log: Log;
  readonly #tell: (instance: string, untilMs: number) => void;
  readonly #clock = monotonicClock();
  readonly #watched = new Map<string, Watched>();

  constructor(log: Log, tell: (instance: string, untilMs: number) => void) {
    this.#log = log;
    this.#tell = tell;
  }

  /** Follows a configuration; a witness that stays is asked on. */
  configure({ instances, globals }: KeepalivedConfig): void {
    for (const [name, { settings, watch }] of [...this.#watched]) {
      const next = instances.find((instance) => instance.name === name)?.splitBrain;
      if (isDeepStrictEqual(next, settings)) continue;
      watch.close();
      this.#watched.delete(name);
    }
    for (const { name, splitBrain: settings } of instances) {
      if (settings?.witness === undefined || this.#watched.has(name)) continue;
      const { witness } = settings;
      const watch = new WitnessWatch(witness, settings, globals.routerId ?? os.hostname(), {
        now: () => this.#clock.now(),
        onAnswer: (untilMs) => this.#tell(name, untilMs),
        onChange: (why) =>
          this.#log.write(
            why === undefined ? "notice" : "warn",
            `(${name}) witness ${witness.text} ${why === undefined ? "answers" : `does not answer: ${why}`}`,
          ),
      });
      this.#watched.set(name, { settings, watch });
    }
  }

  /** An instance wants its lease, or does not want it any more. */
  want(instance: string, isWanted: boolean): void {
    this.#watched.get(instance)?.watch.want(isWanted);
  }

  /** The VRRP process has died, and with it all that it wanted. */
  wantNothing(): void {
    for (const { watch } of this.#watched.values()) watch.want(false);
  }

  close(): void {
    for (const { watch } of this.#watched.values()) watch.close();
    this.#watched.clear();
  }
}
