/** What limit_req_zone and limit_conn_zone have in common: a key, and the zone that counts by it. */
import type { Use } from "./slot.ts";
import type { Template } from "./template.ts";
import { parseSize } from "./units.ts";
import { MIN_ZONE_BYTES, type ZoneDeclaration } from "./zones.ts";

/** Levels that a refusal can be logged with, from the least severe. */
export const LIMIT_LEVELS = ["info", "notice", "warn", "error"] as const;

export interface KeyedZone {
  readonly zone: ZoneDeclaration;
  readonly key: Template;
}

/**
 * Reads `key zone=name:size …`. `by` is how complaints about another key begin at a reload; `other` reads a word that is not
 * the zone: "unknown", nginx's complaint, or undefined.
 */
export function keyedZone(
  use: Use,
  purpose: string,
  by: string,
  other: (word: string) => string | undefined = () => "unknown",
): KeyedZone | undefined {
  const key = use.template(use.args[0] as string);
  if (key === undefined) return undefined;
  let name = "";
  let sizeBytes: number | undefined = 0;
  for (const word of use.args.slice(1)) {
    const [, before = "", behind] = /^zone=([^:]*)(?::(.*))?$/s.exec(word) ?? [];
    if (word.startsWith("zone=")) {
      name = before;
      sizeBytes = behind === undefined ? undefined : parseSize(behind);
      if (sizeBytes === undefined) return use.fail(`invalid zone size "${word}"`);
      if (sizeBytes < MIN_ZONE_BYTES) return use.fail(`zone "${word}" is too small`);
      continue;
    }
    const complaint = other(word);
    if (complaint === "unknown") return use.fail(`invalid parameter "${word}"`);
    if (complaint !== undefined) return use.fail(complaint);
  }
  if (name === "") return use.fail(`"${use.name}" must have "zone" parameter`);
  const zone = use.zone(name, sizeBytes, purpose);
  if (zone === undefined) return undefined;
  if (zone.key !== undefined) return use.fail(`${use.name} "${name}" is already bound to key "${zone.key.text}"`);
  const complain = (before: string): string =>
    `${by} "${name}" uses the "${key.text}" key while previously it used the "${before}" key`;
  zone.key = { text: key.text, complain };
  return { zone, key };
}
