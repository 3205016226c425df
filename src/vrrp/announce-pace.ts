/**
 * The least time between two announcements on an interface, whichever routers they are of: that of its `garp_group`, counted over all
 * interfaces of the group, else `vrrp_garp_interval` or `vrrp_gna_interval`. keepalived's counterpart: garp_delay_t.
 */
import type { AnnounceSettings, GarpGroup } from "../conf/keepalived/config.ts";

/** What is held apart: announcements of one family. */
interface Lane {
  readonly key: string;
  readonly intervalMs: number;
}

export class AnnouncePaces {
  #groups: readonly GarpGroup[] = [];
  /** When the last one has left, by lane; no more lanes than interfaces of the configuration. */
  #lastMs = new Map<string, number>();

  configure(groups: readonly GarpGroup[]): void {
    this.#groups = groups;
    this.#lastMs.clear();
  }

  readyMs(link: string, family: 4 | 6, settings: AnnounceSettings): number {
    const { key, intervalMs } = this.#lane(link, family, settings);
    const last = this.#lastMs.get(key);
    return last === undefined || intervalMs === 0 ? Number.NEGATIVE_INFINITY : last + intervalMs;
  }

  sent(link: string, family: 4 | 6, settings: AnnounceSettings, nowMs: number): void {
    const { key, intervalMs } = this.#lane(link, family, settings);
    if (intervalMs > 0) this.#lastMs.set(key, nowMs);
  }

  #lane(link: string, family: 4 | 6, settings: AnnounceSettings): Lane {
    const index = this.#groups.findIndex(({ interfaces }) => interfaces.includes(link));
    const { garpIntervalMs, gnaIntervalMs } = this.#groups[index] ?? settings;
    // A name of an interface has no blank in it.
    return {
      key: index < 0 ? `${link} ${family}` : `group ${index} ${family}`,
      intervalMs: family === 4 ? garpIntervalMs : gnaIntervalMs,
    };
  }
}
