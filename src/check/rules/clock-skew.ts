/** Clocks of running nodes that are too far apart. */
import type { Found, Rule } from "../finding.ts";
import { placeOf, type Subject } from "../subject.ts";

/** Above this, logs of two nodes can't be read together, and certificates, sessions and signatures begin to matter. */
export const CLOCK_SKEW_MS = 500;

export const clockSkew: Rule<Subject> = {
  id: "clock-skew",
  doc: `The clocks of two running nodes are more than ${CLOCK_SKEW_MS} ms apart (--peers).`,
  check: ({ node, peer, pairs, live }) => {
    const { clock } = live ?? {};
    if (clock === undefined || peer === undefined) return [];
    // At most half a round trip is error.
    const apartMs = Math.max(0, Math.abs(clock.offsetMs) - clock.roundTripMs / 2);
    if (apartMs <= CLOCK_SKEW_MS) return [];
    const span = apartMs < 10_000 ? `${Math.round(apartMs)} ms` : `${Math.round(apartMs / 1000)} s`;
    const title = `The clock of ${peer.label} is ${span} ${clock.offsetMs < 0 ? "behind" : "ahead of"} that of ${node.label}`;
    const fix = "one time service (chrony, systemd-timesyncd) on both nodes";
    const signed = pairs.filter(({ a, b }) =>
      [a, b].some(({ authHmac }) => authHmac?.antiReplay === "time" && apartMs > authHmac.windowS * 1000),
    );
    if (signed.length > 0)
      return [
        {
          severity: "error",
          title,
          why: "Signed adverts are good for the window of auth_hmac only: each node drops those of the other, and both take the address.",
          fix,
          places: signed.flatMap(({ a, b }) => [placeOf(a, "auth_hmac"), placeOf(b, "auth_hmac")]),
        } satisfies Found,
      ];
    return [
      {
        severity: "warning",
        title,
        why: "Logs of the two nodes can't be read together, and what is dated on one (certificates, cookies, Expires) is of another time on the other after a fail-over.",
        fix,
        places: [],
      },
    ];
  },
};
