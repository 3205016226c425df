/**
 * What a packet filter does with one packet, worked out from its rules: chains of rules, each of which matches for sure,
 * not at all, or perhaps. A verdict is given only when no "perhaps" could change it.
 */
import type { FirewallFact, Passage } from "./facts.ts";

/** A packet from outside to this node: a new TCP connection to a port, or another protocol. */
export interface Packet {
  /** IP protocol number. */
  readonly protocol: number;
  /** Destination port of TCP. */
  readonly port?: number;
}

/** What a rule does with a packet that it matches. */
export type Action =
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  | { readonly kind: "return" }
  | { readonly kind: "none" }
  | { readonly kind: "jump" | "goto"; readonly chain: string };

/** One rule. */
export interface FilterRule {
  /** undefined: depends on what is not known here (addresses, marks, limits, …). */
  readonly matches: (packet: Packet) => boolean | undefined;
  readonly action: Action;
  /** In the tool's own words. */
  readonly text: string;
}

/** A chain; a base chain sees the packets that are for this node, and has a policy. */
export interface Chain {
  readonly name: string;
  readonly isBase: boolean;
  readonly policy: "accept" | "drop";
  readonly rules: readonly FilterRule[];
}

type Verdict = Omit<Passage, "chain"> | "fell-through";

/** Jumps from chain to chain that are followed. */
const MAX_JUMPS = 16;
export const TCP = 6;

/** The filter as the checks ask it. */
export function firewallOf(tool: string, chains: readonly Chain[]): FirewallFact {
  return {
    tool,
    tcp: (port) => passage(chains, { protocol: TCP, port }),
    protocol: (protocol) => passage(chains, { protocol }),
  };
}

/** Every base chain must let the packet through. */
export function passage(chains: readonly Chain[], packet: Packet): Passage {
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const verdicts = chains.filter(({ isBase }) => isBase).map((chain) => throughBase(chain, packet, byName));
  return (
    verdicts.find(({ verdict }) => verdict === "dropped") ??
    verdicts.find(({ verdict }) => verdict === "unknown") ??
    verdicts[0] ?? { verdict: "accepted", why: "no rules", chain: "" }
  );
}

/** Ways that rules which match perhaps would go. */
type Doubts = Set<Passage["verdict"]>;

function throughBase(chain: Chain, packet: Packet, chains: ReadonlyMap<string, Chain>): Passage {
  const doubts: Doubts = new Set();
  const verdict = through(chain, packet, chains, 0, doubts);
  const { name } = chain;
  const passed: Passage =
    verdict === "fell-through"
      ? {
          verdict: chain.policy === "drop" ? "dropped" : "accepted",
          why: `nothing in ${name} accepts it, and the policy is ${chain.policy}`,
          chain: name,
        }
      : { ...verdict, chain: name };
  const isSure = [...doubts].every((doubt) => doubt === passed.verdict);
  return isSure
    ? passed
    : { verdict: "unknown", why: "it depends on rules that can't be judged from here", chain: name };
}

function through(
  chain: Chain,
  packet: Packet,
  chains: ReadonlyMap<string, Chain>,
  jumps: number,
  doubts: Doubts,
): Verdict {
  for (const { matches, action, text } of chain.rules) {
    if (action.kind === "none") continue;
    const matched = matches(packet);
    if (matched === false) continue;
    if (matched === undefined) {
      doubts.add(action.kind === "accept" ? "accepted" : action.kind === "drop" ? "dropped" : "unknown");
      continue;
    }
    const why = `rule "${text}" in ${chain.name}`;
    if (action.kind === "accept") return { verdict: "accepted", why };
    if (action.kind === "drop") return { verdict: "dropped", why };
    if (action.kind === "return") return "fell-through";
    const next = chains.get(action.chain);
    if (next === undefined || jumps >= MAX_JUMPS) {
      doubts.add("unknown");
      continue;
    }
    const verdict = through(next, packet, chains, jumps + 1, doubts);
    if (verdict !== "fell-through" || action.kind === "goto") return verdict;
  }
  return "fell-through";
}
