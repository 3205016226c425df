/** Zones (memory that workers share) as directives declare them, by name. nginx: ngx_shared_memory_add. */

import type { Diagnostic } from "./diagnostics.ts";

/** What a zone's content depends on. */
export interface ZoneKey {
  readonly text: string;
  /** nginx's complaint about a zone that has had another key. */
  complain(before: string): string;
}

/** What the master is to make. Complete when the whole configuration has been read. */
export interface ZoneDeclaration {
  readonly name: string;
  /** What it is for: one name is one purpose. nginx: the tag, a module's address. */
  readonly purpose: string;
  /** 0 until a directive has told it. */
  sizeBytes: number;
  /** A reload makes it anew, though name and size stay. nginx: noreuse. */
  isRenewed: boolean;
  /** What its entries are keyed by: a zone that survives a reload must keep it. */
  key: ZoneKey | undefined;
}

export class ZoneDeclarations {
  readonly #zones = new Map<string, ZoneDeclaration>();

  /** In the order in which they were first named. */
  get all(): readonly ZoneDeclaration[] {
    return [...this.#zones.values()];
  }

  /** The zone of this name; `sizeBytes` is 0 for a directive that only refers to it. A text is nginx's complaint. */
  declare(name: string, sizeBytes: number, purpose: string): ZoneDeclaration | string {
    const known = this.#zones.get(name);
    if (known === undefined) {
      const zone = { name, purpose, sizeBytes, isRenewed: false, key: undefined };
      this.#zones.set(name, zone);
      return zone;
    }
    if (known.purpose !== purpose) return `the shared memory zone "${name}" is already declared for a different use`;
    if (known.sizeBytes === 0) known.sizeBytes = sizeBytes;
    if (sizeBytes !== 0 && sizeBytes !== known.sizeBytes) {
      return `the size ${sizeBytes} of shared memory zone "${name}" conflicts with already declared size ${known.sizeBytes}`;
    }
    return known;
  }
}

/** What is found when the zones are made: one that directives have only referred to. */
export function zoneFault(zones: readonly ZoneDeclaration[]): Diagnostic | undefined {
  const empty = zones.find(({ sizeBytes }) => sizeBytes === 0);
  return empty && { severity: "emerg", message: `zero size shared memory zone "${empty.name}"` };
}

/** Smallest size of a zone that directives take: eight pages. */
export const MIN_ZONE_BYTES = 8 * 4096;
/** That of a cache's keys: two pages. */
export const MIN_CACHE_ZONE_BYTES = 2 * 4096;
