/** `iptables-save` → the chains of its filter table. */
import type { Action, Chain, FilterRule, Packet } from "./packet-filter.ts";

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  esp: 50,
  ah: 51,
  vrrp: 112,
  all: -1,
};

/** Chains of the filter table; INPUT is the base. */
export function parseIptables(text: string): readonly Chain[] {
  const chains = new Map<string, { policy: "accept" | "drop"; rules: FilterRule[] }>();
  let isFilter = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) isFilter = line.trim() === "*filter";
    if (!isFilter) continue;
    const declared = /^:(\S+) (\S+)/.exec(line);
    if (declared !== null)
      chains.set(declared[1] as string, { policy: declared[2] === "DROP" ? "drop" : "accept", rules: [] });
    const rule = /^-A (\S+) ?(.*)$/.exec(line);
    if (rule !== null) chains.get(rule[1] as string)?.rules.push(parseRule(rule[2] as string));
  }
  return [...chains].map(([name, { policy, rules }]) => ({ name, isBase: name === "INPUT", policy, rules }));
}

/** Reads the options of one rule; what it doesn't know makes the rule match perhaps. */
function parseRule(text: string): FilterRule {
  const words = text.match(/"[^"]*"|\S+/g) ?? [];
  const tests: ((packet: Packet) => boolean | undefined)[] = [];
  let action: Action = { kind: "none" };
  for (let at = 0; at < words.length; at++) {
    const isNot = words[at] === "!";
    if (isNot) at++;
    const option = words[at] as string;
    const value = words[at + 1] ?? "";
    const turn = (matched: boolean | undefined): boolean | undefined =>
      matched === undefined ? undefined : matched !== isNot;
    switch (option) {
      case "-p": {
        const protocol = PROTOCOLS[value] ?? Number(value);
        tests.push((packet) => turn(protocol === -1 || packet.protocol === protocol));
        at++;
        break;
      }
      case "--dport":
      case "--dports":
        tests.push(({ port }) => (port === undefined ? false : turn(portIn(value, port))));
        at++;
        break;
      case "--state":
      case "--ctstate":
        tests.push(() => turn(value.split(",").includes("NEW")));
        at++;
        break;
      case "-i":
        tests.push(() => (value === "lo" ? turn(false) : undefined));
        at++;
        break;
      case "-m":
        if (!/^(tcp|udp|state|conntrack|multiport|comment)$/.test(value)) tests.push(() => undefined);
        at++;
        break;
      case "--comment":
      case "--reject-with":
      case "--log-prefix":
      case "--log-level":
        at++;
        break;
      case "-j":
      case "-g":
        action = actionOf(value, option === "-g");
        at++;
        break;
      default:
        tests.push(() => undefined);
    }
  }
  return {
    matches: (packet) => {
      const results = tests.map((test) => test(packet));
      return results.includes(false) ? false : results.includes(undefined) ? undefined : true;
    },
    action,
    text,
  };
}

function actionOf(target: string, isGoto: boolean): Action {
  if (target === "ACCEPT") return { kind: "accept" };
  if (target === "DROP" || target === "REJECT") return { kind: "drop" };
  if (target === "RETURN") return { kind: "return" };
  if (/^(LOG|NFLOG|MARK|CONNMARK|TRACE|AUDIT)$/.test(target)) return { kind: "none" };
  return { kind: isGoto ? "goto" : "jump", chain: target };
}

/** `88`, `80,443`, `8000:8100`. */
function portIn(text: string, port: number): boolean {
  return text.split(",").some((part) => {
    const [first, last] = part.split(":").map(Number);
    return first !== undefined && port >= first && port <= (last ?? first);
  });
}
