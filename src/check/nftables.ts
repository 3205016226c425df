/** `nft -j list ruleset` → chains. libnftables-json(5). */
import type { Action, Chain, FilterRule, Packet } from "./packet-filter.ts";

type Json = Readonly<Record<string, unknown>>;

/** Names of protocols in nft's output. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  ah: 51,
  vrrp: 112,
  "ipv6-icmp": 58,
};

/** The chains that input packets go through. Undefined when the text is not what nft prints. */
export function parseNftables(text: string): readonly Chain[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const entries = (document as { nftables?: unknown } | null)?.nftables;
  if (!Array.isArray(entries)) return undefined;
  const chains = new Map<string, { chain: Json; rules: FilterRule[]; isForeign: boolean }>();
  for (const entry of entries as Json[]) {
    const chain = entry["chain"] as Json | undefined;
    const rule = entry["rule"] as Json | undefined;
    if (chain !== undefined && isOurs(chain))
      chains.set(keyOf(chain, chain["name"]), { chain, rules: [], isForeign: false });
    else if (rule !== undefined && isOurs(rule)) {
      const owner = chains.get(keyOf(rule, rule["chain"]));
      const expressions = (Array.isArray(rule["expr"]) ? rule["expr"] : []) as Json[];
      // Rules of iptables in nft's clothes: iptables-save knows them better.
      if (expressions.some((expression) => "xt" in expression) && owner !== undefined) owner.isForeign = true;
      owner?.rules.push(ruleOf(expressions, rule));
    }
  }
  return [...chains]
    .filter(([, { isForeign }]) => !isForeign)
    .map(([name, { chain, rules }]) => ({
      name,
      isBase: chain["hook"] === "input",
      policy: chain["policy"] === "drop" ? "drop" : "accept",
      rules,
    }));
}

/** Only families that see IPv4 or IPv6 packets at the input hook. */
function isOurs({ family }: Json): boolean {
  return family === "ip" || family === "inet";
}

function keyOf({ family, table }: Json, name: unknown): string {
  return `${family} ${table} ${name}`;
}

function ruleOf(expressions: readonly Json[], rule: Json): FilterRule {
  const prefix = `${rule["family"]} ${rule["table"]}`;
  let action: Action = { kind: "none" };
  const tests: ((packet: Packet) => boolean | undefined)[] = [];
  for (const expression of expressions) {
    if ("match" in expression) tests.push(testOf(expression["match"] as Json));
    else if ("accept" in expression) action = { kind: "accept" };
    else if ("drop" in expression || "reject" in expression) action = { kind: "drop" };
    else if ("return" in expression) action = { kind: "return" };
    else if ("jump" in expression || "goto" in expression) {
      const kind = "jump" in expression ? "jump" : "goto";
      const target = (expression[kind] as Json)["target"];
      action = { kind, chain: `${prefix} ${target}` };
    } else if (!("counter" in expression || "log" in expression || "comment" in expression))
      tests.push(() => undefined);
  }
  return { matches: (packet) => all(tests, packet), action, text: summary(expressions) };
}

/** True when all are, false when one is, undefined when it depends. */
function all(tests: readonly ((packet: Packet) => boolean | undefined)[], packet: Packet): boolean | undefined {
  let result: boolean | undefined = true;
  for (const test of tests) {
    const value = test(packet);
    if (value === false) return false;
    if (value === undefined) result = undefined;
  }
  return result;
}

function testOf({ left, op, right }: Json): (packet: Packet) => boolean | undefined {
  const payload = (left as Json | undefined)?.["payload"] as Json | undefined;
  const meta = ((left as Json | undefined)?.["meta"] as Json | undefined)?.["key"];
  const ct = ((left as Json | undefined)?.["ct"] as Json | undefined)?.["key"];
  const turn = (value: boolean | undefined): boolean | undefined =>
    value === undefined ? undefined : op === "!=" ? !value : value;
  if (payload?.["protocol"] === "tcp" && payload["field"] === "dport")
    return ({ port }) => (port === undefined ? false : turn(contains(right, port)));
  if (payload?.["protocol"] === "udp") return () => false;
  if (meta === "l4proto" || (payload?.["protocol"] === "ip" && payload["field"] === "protocol"))
    return ({ protocol }) => turn(contains(right, protocol));
  // The packet is new and comes from outside.
  if (ct === "state") return () => turn(contains(right, "new"));
  if (meta === "iifname" || meta === "iif") return () => (right === "lo" ? turn(false) : undefined);
  return () => undefined;
}

/** Whether a right-hand side (a value, a list, a set, a range) has this value in it. */
function contains(right: unknown, value: number | string): boolean | undefined {
  if (typeof right === "number") return right === value;
  if (typeof right === "string") {
    if (typeof value === "string") return right === value;
    const known = PROTOCOLS[right] ?? (/^\d+$/.test(right) ? Number(right) : undefined);
    return known === undefined ? undefined : known === value;
  }
  if (Array.isArray(right)) return any(right, value);
  const set = (right as Json | undefined)?.["set"];
  if (Array.isArray(set)) return any(set, value);
  const range = (right as Json | undefined)?.["range"];
  if (Array.isArray(range) && typeof value === "number") return value >= Number(range[0]) && value <= Number(range[1]);
  return undefined;
}

function any(list: readonly unknown[], value: number | string): boolean | undefined {
  let result: boolean | undefined = false;
  for (const item of list) {
    const found = contains(item, value);
    if (found === true) return true;
    if (found === undefined) result = undefined;
  }
  return result;
}

/** A rule in few words: enough to find it. */
function summary(expressions: readonly Json[]): string {
  const words = expressions.flatMap((expression): string[] => {
    const match = expression["match"] as Json | undefined;
    if (match === undefined) return Object.keys(expression).filter((key) => key !== "counter");
    const left = match["left"] as Json | undefined;
    const payload = left?.["payload"] as Json | undefined;
    const what =
      payload === undefined
        ? String(((left?.["meta"] ?? left?.["ct"]) as Json | undefined)?.["key"] ?? "…")
        : `${payload["protocol"]} ${payload["field"]}`;
    return [`${what} ${match["op"] === "!=" ? "!= " : ""}${JSON.stringify(match["right"])}`];
  });
  return words.join(" ");
}
