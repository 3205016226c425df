/** A password of eight bytes that everybody on the segment can read. */
import type { Found, Rule } from "../finding.ts";
import { nodesOf, placeOf, type Subject } from "../subject.ts";

export const authenticationClear: Rule<Subject> = {
  id: "authentication-clear",
  doc: "auth_pass travels in clear, and only its first 8 bytes count.",
  check: (subject) => {
    const nodes = nodesOf(subject);
    const users = nodes.flatMap((node) =>
      node.config.instances.filter(({ authentication }) => authentication !== undefined),
    );
    const found: Found[] = [];
    const cut = nodes.flatMap((node) =>
      node.diagnostics
        .filter(({ message }) => message.startsWith("Truncating auth_pass"))
        .map(({ position }) => ({ node, position })),
    );
    for (const { node, position } of cut)
      found.push({
        severity: "warning",
        nodes: [node.label],
        title: `auth_pass is cut to its first 8 bytes`,
        why: "The packet has room for 8 bytes. A password that differs only behind them is the same password.",
        fix: "write at most 8 characters",
        places: position === undefined ? [] : [position],
      });
    const [first] = users;
    if (first !== undefined)
      found.push({
        severity: "info",
        title: "auth_pass travels in clear in every advert",
        why: "Whoever is on the segment reads it, and can then take the address. It guards against a mix-up, not against an attacker; RFC 3768 and later versions have removed it. At most 8 bytes count.",
        fix: "use version 3 without authentication, on a segment of its own or with firewall rules that admit protocol 112 from the other node only",
        places: users.map((instance) => placeOf(instance, "auth_pass", "authentication")),
      });
    return found;
  },
};
