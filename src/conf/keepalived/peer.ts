/** Keywords of `global_defs` for pairs of Tandem nodes: extensions, keepalived knows none of them. See docs/peer-channel.md. */
import type { GlobalsDraft } from "./drafts.ts";
import type { Keywords } from "./interpreter.ts";
import { keyword, slotsOf } from "./slots.ts";

const slots = slotsOf<GlobalsDraft>();

/** Shorter secrets can be guessed from one recorded message. */
const MIN_KEY_CHARACTERS = 16;
/** Private range, above the ports that Linux gives to outgoing connections. */
export const DEFAULT_PEER_PORT = 61112;
export const DEFAULT_HANDOVER_LIMIT_MS = 300_000;
const MAX_LIMIT_S = 86_400;

/** Their names, for whoever says that a file uses them. */
export const PEER_KEYWORDS = ["peer_key", "peer_port", "handover_limit"] as const;

export const peerKeywords: Keywords<GlobalsDraft> = {
  peer_key: keyword(
    {
      syntax: "SECRET",
      doc: "Opens the peer channel between Tandem nodes with this secret, the same on all of them, at least 16 characters. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const key = scope.word(line, 1);
      if (key === undefined) return;
      if (key.length < MIN_KEY_CHARACTERS)
        scope.report("error", `peer_key needs at least ${MIN_KEY_CHARACTERS} characters`, line.position);
      else draft.peerKey = key;
    },
  ),
  peer_port: slots.integer("peerPort", {
    min: 1,
    max: 65_535,
    default: String(DEFAULT_PEER_PORT),
    doc: "UDP port of the peer channel, the same on all nodes. An extension of Tandem's.",
    invalid: (text) => `peer_port '${text}' must be in [1, 65535] - ignoring`,
  }),
  handover_limit: slots.wholeSeconds("handoverLimitMs", {
    min: 0,
    max: MAX_LIMIT_S,
    default: String(DEFAULT_HANDOVER_LIMIT_MS / 1000),
    doc: "Seconds that open connections may go on at the old owner after a hand-over. An extension of Tandem's.",
    invalid: (text) => `handover_limit '${text}' must be in [0, ${MAX_LIMIT_S}] - ignoring`,
  }),
};
