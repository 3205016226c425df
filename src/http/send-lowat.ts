/** `send_lowat` and its kin: Linux has no low-water mark for sending. nginx: ngx_http_core_lowat_check. */
import type { Slot } from "../conf/slot.ts";
import { single } from "../conf/slots.ts";
import { sizeBytes } from "../conf/values.ts";

/** The slot of such a directive. */
export function sendLowat(): Slot<number> {
  return single(sizeBytes, "0", {
    doc: "Accepted without effect: Linux has no such mark; a warning says so.",
    validate: (_value, use) => {
      use.warn(`"${use.name}" is not supported, ignored`);
      return 0;
    },
  });
}
