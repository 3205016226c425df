/** `resolver`: the name servers to ask while the server runs. nginx: ngx_resolver_create. */
import type { Use } from "../conf/slot.ts";
import { parseSec } from "../conf/units.ts";
import { printEndpoint } from "../io/listen.ts";
import { parseServerAddress } from "./address.ts";
import type { ResolverSettings } from "./resolver.ts";

const DNS_PORT = 53;

/** Reads `address … [valid=time] [ipv4=on|off] [ipv6=on|off]`; undefined after a complaint. */
export function parseResolver(use: Use): ResolverSettings | undefined {
  const servers: { endpoint: ResolverSettings["servers"][number]["endpoint"]; label: string }[] = [];
  const settings = { validS: 0, ipv4: true, ipv6: true };
  for (const word of use.args) {
    const [, name, value = ""] = /^(valid|ipv4|ipv6)=(.*)$/s.exec(word) ?? [];
    if (name === "valid") {
      const validS = parseSec(value);
      if (validS === undefined) return use.fail(`invalid parameter: ${word}`);
      settings.validS = validS;
    } else if (name === "ipv4" || name === "ipv6") {
      if (value !== "on" && value !== "off") return use.fail(`invalid parameter: ${word}`);
      settings[name] = value === "on";
    } else {
      const endpoints = parseServerAddress(word, DNS_PORT, use.environment.lookUp);
      if (typeof endpoints === "string") return use.fail(`${endpoints} in resolver "${word}"`);
      servers.push(...endpoints.map((endpoint) => ({ endpoint, label: printEndpoint(endpoint) })));
    }
  }
  if (!settings.ipv4 && !settings.ipv6) return use.fail('"ipv4" and "ipv6" cannot both be "off"');
  if (servers.length === 0) return use.fail("no name servers defined");
  return { ...settings, servers };
}
