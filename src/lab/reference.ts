/**
 * What nginx 1.22.1 and keepalived 2.2.7 (Debian 12) did in the same scenarios, measured on one two-core machine with
 * the tutorial's pair (VRRP version 2, 1 s, priorities 100 and 90), a client that opens a hundred connections a second,
 * and a noise of 16/26/83 ms without any fault. Figures are the client's longest gap, least / median / greatest of n runs.
 */

export interface Reference {
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
  readonly runs: number;
  /** Where the conditions differ from the rehearsal's, and what happened beside the gap. */
  readonly remark?: string;
}

function measured(minMs: number, medianMs: number, maxMs: number, runs: number, remark?: string): Reference {
  return remark === undefined ? { minMs, medianMs, maxMs, runs } : { minMs, medianMs, maxMs, runs, remark };
}

/** By the name of the scenario. */
export const REFERENCES: Readonly<Record<string, Reference>> = {
  "start-up": measured(3376, 3563, 3596, 5),
  baseline: measured(16, 26, 83, 5),
  "graceful-stop": measured(666, 671, 674, 5),
  "recover-preempt": measured(26, 35, 90, 5),
  "recover-nopreempt": measured(21, 35, 69, 5),
  "kill-vrrp": measured(2831, 3280, 3524, 5),
  "kill-node": measured(2928, 3484, 3505, 5),
  freeze: measured(3270, 3519, 3541, 5),
  thaw: measured(20, 37, 67, 5),
  reload: measured(
    17,
    43,
    62,
    5,
    "0 to 9 requests of 20 clients failed; one per connection and reload when the clients do not pause",
  ),
  handover: measured(
    669,
    678,
    681,
    5,
    "keepalived stopped and started by turns: 486 to 518 requests failed, 80 to 84 downloads, uploads and tunnels broke",
  ),
  "kill-workers": measured(18, 20, 25, 5),
  "link-down": measured(2740, 3144, 3591, 5),
  partition: measured(2740, 3074, 3420, 5, "both nodes held the address"),
  heal: measured(20, 33, 7946, 5, "no answer until the window ended in 14 of 33 heals; up to 48 s"),
  "http-restarted": measured(44, 610, 1240, 5, "script timeout raised to 10 s"),
  "http-dead": measured(4189, 4900, 5180, 5),
  "v3-100ms": measured(301, 351, 374, 5),
  "v3-10ms": measured(23, 47, 58, 5, "take-overs without a fault in 4 of 7 busy windows of 8 s"),
  "advert-jitter": measured(
    26,
    38,
    1252,
    3,
    "off by 0.4 to 0.5 ms (median) and 6 to 27 ms (p99) without vrrp_rt_priority, the address moved in 2 of 3 runs",
  ),
};
