/** For tests of what a worker leaves behind that is killed between a counter and its ledger. */
import { ZoneLedger } from "./zone-ledger.ts";

/** Thrown where the worker dies. It has the zone's lock, and never gives it back. */
export class Killed extends Error {}

/** The ledger of a worker that is killed at its next change: in front of it, or behind it. */
export class LastLedger extends ZoneLedger {
  diesAt: "before" | "behind" | undefined;

  override add(at: number, by: number): void {
    if (this.diesAt === "before") throw new Killed();
    super.add(at, by);
    if (this.diesAt === "behind") throw new Killed();
  }
}
