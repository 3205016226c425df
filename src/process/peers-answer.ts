/** The answer to `tandem check --peers`: configurations of this node and of its partners, and what only running nodes know of each other. */
import type { PackedRecord } from "./flight-desk.ts";
import { type NodeFiles, unpackNodeFiles } from "./node-files.ts";

/** A partner that is on the peer channel. */
export interface PartnerFiles {
  readonly name: string;
  readonly version: string;
  readonly address: string;
  readonly interface: string;
  /** Its clock less ours; null: not compared yet. */
  readonly offsetMs: number | null;
  readonly roundTripMs: number | null;
  /** null: it has sent none that can be used. */
  readonly files: NodeFiles | null;
  /** Why there are none; "" where there are. */
  readonly why: string;
}

export interface PeersAnswer {
  readonly own: NodeFiles;
  readonly partners: readonly PartnerFiles[];
}

/** What a partner has sent, opened. */
export function partnerFiles({ bytes, offsetMs, roundTripMs, ...partner }: PackedRecord, key: string): PartnerFiles {
  const read = bytes === undefined ? "it has not sent its configuration" : unpackNodeFiles(bytes, key);
  const files = typeof read === "string" ? null : read;
  const why = typeof read === "string" ? read : "";
  return { ...partner, offsetMs: offsetMs ?? null, roundTripMs: roundTripMs ?? null, files, why };
}
