/** What the sessions say about themselves when they are asked: for status and dumps. Plain data, fit for a message. */
import { printDiagnostic } from "../wire/bfd/control.ts";
import { detectionUs, type SessionState, STATE_NAMES, transmitUs } from "./state.ts";

export interface BfdReport {
  readonly name: string;
  readonly state: (typeof STATE_NAMES)[keyof typeof STATE_NAMES];
  readonly remoteState: BfdReport["state"];
  readonly localDiscriminator: number;
  readonly remoteDiscriminator: number;
  readonly localDiagnostic: string;
  readonly remoteDiagnostic: string;
  readonly remoteMinTxUs: number;
  readonly remoteMinRxUs: number;
  readonly remoteDemand: boolean;
  readonly remoteMultiplier: number;
  readonly isPolling: boolean;
  readonly localTxUs: number;
  readonly remoteTxUs: number;
  readonly localDetectionUs: number;
  readonly remoteDetectionUs: number;
  /** Milliseconds since the epoch; undefined: never. */
  readonly lastSeenMs: number | undefined;
  readonly hasSendError: boolean;
  readonly sent: number;
  readonly received: number;
  readonly changes: number;
}

/** What is counted of a session. */
export interface SessionCounts {
  readonly sent: number;
  readonly received: number;
  /** How often it has come up or gone down. */
  readonly changes: number;
  readonly hasSendError: boolean;
}

/** `nowMs` and `wallMs` are the same instant on both clocks. */
export function reportSession(
  { name, multiplier }: { readonly name: string; readonly multiplier: number },
  state: SessionState,
  counts: SessionCounts,
  nowMs: number,
  wallMs: number,
): BfdReport {
  const { remote } = state;
  return {
    name,
    state: STATE_NAMES[state.state],
    remoteState: STATE_NAMES[remote.state],
    localDiscriminator: state.localDiscriminator,
    remoteDiscriminator: remote.discriminator,
    localDiagnostic: printDiagnostic(state.diagnostic),
    remoteDiagnostic: printDiagnostic(remote.diagnostic),
    remoteMinTxUs: remote.minTxUs,
    remoteMinRxUs: remote.minRxUs,
    remoteDemand: remote.demand,
    remoteMultiplier: remote.multiplier,
    isPolling: state.isPolling,
    localTxUs: transmitUs(state),
    remoteTxUs: Math.max(state.usedMinRxUs, remote.minTxUs),
    localDetectionUs: detectionUs(state),
    remoteDetectionUs: multiplier * transmitUs(state),
    lastSeenMs: Number.isFinite(state.heardMs) ? wallMs - (nowMs - state.heardMs) : undefined,
    ...counts,
  };
}
