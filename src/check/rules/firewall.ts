/** Firewall rules of this machine that keep adverts or clients out. */
import type { Passage } from "../facts.ts";
import type { Found, Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";
import { capital } from "../text.ts";

/** IP protocol number of VRRP. */
const VRRP = 112;

export const firewall: Rule<Subject> = {
  id: "firewall",
  doc: "The firewall of this machine drops adverts, or connections to a port that nginx listens on.",
  check: ({ node, facts, isHere }) => {
    const filter = facts?.firewall;
    if (filter === undefined) return [];
    const severity = isHere ? ("error" as const) : ("warning" as const);
    const found: Found[] = [];
    const [instance] = node.config.instances;
    const adverts = filter.protocol(VRRP);
    if (instance !== undefined && adverts.verdict === "dropped")
      found.push({
        severity,
        title: `The firewall here drops VRRP adverts (IP protocol ${VRRP})`,
        why: `${capital(adverts.why)}. Each node believes that it is alone, and both hold the address at the same time.`,
        fix: isNft(adverts)
          ? `nft insert rule ${adverts.chain} ip protocol vrrp accept`
          : "iptables -I INPUT -p vrrp -j ACCEPT",
        places: [placeOf(instance)],
      });
    const seen = new Set<number>();
    for (const { address, port, place } of node.nginx?.listens ?? []) {
      if (seen.has(port) || /^(127\.|localhost$|\[::1\])/.test(address ?? "")) continue;
      seen.add(port);
      const passage = filter.tcp(port);
      if (passage.verdict !== "dropped") continue;
      found.push({
        severity,
        title: `The firewall here drops new connections to port ${port}`,
        why: `${capital(passage.why)}. nginx listens on it, but no client gets through, before a fail-over or after it.`,
        fix: isNft(passage)
          ? `nft insert rule ${passage.chain} tcp dport ${port} accept`
          : `iptables -I INPUT -p tcp --dport ${port} -j ACCEPT`,
        places: [place],
      });
    }
    return found;
  },
};

/** nft's chains have family and table in their names. */
function isNft({ chain }: Passage): boolean {
  return chain.includes(" ");
}
