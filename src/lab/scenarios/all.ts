/** Every scenario, in the order in which one leads to the next with the least waiting: neighbours share a configuration. */
import type { Scenario } from "../scenario.ts";
import { advertJitter } from "./advert-jitter.ts";
import { backEndsLost } from "./back-ends-lost.ts";
import { baseline } from "./baseline.ts";
import { freeze } from "./freeze.ts";
import { gracefulStop } from "./graceful-stop.ts";
import { handover } from "./handover.ts";
import { heal } from "./heal.ts";
import { httpDead } from "./http-dead.ts";
import { httpDeadBoth } from "./http-dead-both.ts";
import { httpRestarted } from "./http-restarted.ts";
import { httpTrackProcess } from "./http-track-process.ts";
import { killNode } from "./kill-node.ts";
import { killVrrp } from "./kill-vrrp.ts";
import { killWorkers } from "./kill-workers.ts";
import { linkDown } from "./link-down.ts";
import { partition } from "./partition.ts";
import { recoverNopreempt } from "./recover-nopreempt.ts";
import { recoverPreempt } from "./recover-preempt.ts";
import { reload } from "./reload.ts";
import { reloadLower, reloadLowerStop } from "./reload-lower.ts";
import { bfdFreeze, bfdKill, bfdPartition } from "./silent-death.ts";
import { startUp } from "./start-up.ts";
import { thaw } from "./thaw.ts";
import { version3Every10Ms, version3Every100Ms } from "./version3.ts";

export const SCENARIOS: readonly Scenario[] = [
  startUp,
  baseline,
  gracefulStop,
  recoverPreempt,
  reload,
  reloadLower,
  reloadLowerStop,
  killVrrp,
  partition,
  heal,
  freeze,
  thaw,
  killWorkers,
  httpRestarted,
  httpDead,
  httpDeadBoth,
  linkDown,
  killNode,
  httpTrackProcess,
  backEndsLost,
  bfdKill,
  bfdPartition,
  bfdFreeze,
  handover,
  recoverNopreempt,
  version3Every100Ms,
  version3Every10Ms,
  advertJitter,
];
