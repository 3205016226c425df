/** What limits of connections keep of a session. */

import type { KeyCounts } from "../net/limit-conn.ts";
import type { HeldConnections } from "../net/limit-conn-rules.ts";

export class SessionLimits implements HeldConnections {
  connStatus = 0;
  private readonly entered: KeyCounts[] = [];
  private readonly entries: number[] = [];

  hold(counts: KeyCounts, entry: number): void {
    this.entered.push(counts);
    this.entries.push(entry);
  }

  leave(): void {
    for (let i = 0; i < this.entered.length; i++) (this.entered[i] as KeyCounts).leave(this.entries[i] as number);
    this.entered.length = 0;
    this.entries.length = 0;
  }
}
