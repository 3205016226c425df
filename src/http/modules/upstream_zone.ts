/** `zone` of an upstream: its peers live in memory that all workers share. nginx: ngx_http_upstream_zone_module. */
import type { Use } from "../../conf/slot.ts";
import { fold } from "../../conf/slots.ts";
import { parseSize } from "../../conf/units.ts";
import { MIN_ZONE_BYTES, type ZoneDeclaration } from "../../conf/zones.ts";
import { httpModule } from "../module.ts";

/** What zones of upstreams are declared for. */
const PURPOSE = "upstream";

function parseZone(use: Use): ZoneDeclaration | undefined {
  const [name = "", size] = use.args;
  if (name === "") return use.fail(`invalid zone name "${name}"`);
  const sizeBytes = size === undefined ? 0 : parseSize(size);
  if (sizeBytes === undefined) return use.fail(`invalid zone size "${size}"`);
  if (size !== undefined && sizeBytes < MIN_ZONE_BYTES) return use.fail(`zone "${name}" is too small`);
  const zone = use.zone(name, sizeBytes, PURPOSE);
  if (zone !== undefined) zone.isRenewed = true;
  return zone;
}

const directives = {
  zone: fold<ZoneDeclaration, undefined>(undefined, parseZone, {
    in: "upstream",
    args: [1, 2],
    inherit: "none",
    syntax: "name [size]",
    doc: "Memory in which all workers share what they know of the group's servers.",
  }),
};

export const upstreamZone = httpModule({ name: "upstream_zone", directives });
