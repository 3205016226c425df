/** The seal of the peer channel: HMAC-SHA-256 under a key that is derived from the pair's secret (docs/peer-channel.md). */
import { createHmac } from "node:crypto";
import type { Seal } from "../wire/peer/message.ts";

/** The secret is used for nothing else, and the channel's version is part of the key. */
export function peerSeal(secret: string): Seal {
  const key = createHmac("sha256", secret).update("tandem peer channel 1").digest();
  return (bytes) => createHmac("sha256", key).update(bytes).digest();
}
