/** Different authentication: the adverts are dropped. */
import { equalBytes } from "../../base/bytes.ts";
import type { VrrpInstance } from "../../conf/keepalived/config.ts";
import type { Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

export const authenticationDiffers: Rule<Subject> = {
  id: "authentication-differs",
  doc: "The nodes authenticate differently.",
  check: ({ pairs }) =>
    pairs
      .filter(({ a, b }) => a.version === 2 && b.version === 2 && !isSame(a, b))
      .map(({ a, b, nodeA, nodeB }) => {
        const isMissing = a.authentication === undefined || b.authentication === undefined;
        const without = a.authentication === undefined ? nodeA : nodeB;
        return {
          severity: "error" as const,
          title: isMissing
            ? `Only one node has a password: ${without.label} has none`
            : "auth_pass differs between the nodes",
          why: "An advert with another password, or none, is dropped. Each node believes that it is alone, and both hold the address at the same time.",
          fix: "the same authentication block on both nodes (only the first 8 bytes of the password count)",
          places: [placeOf(a, "auth_pass", "authentication"), placeOf(b, "auth_pass", "authentication")],
        };
      }),
};

function isSame(a: VrrpInstance, b: VrrpInstance): boolean {
  if (a.authentication === undefined || b.authentication === undefined) return a.authentication === b.authentication;
  return equalBytes(a.authentication.password, b.authentication.password);
}
