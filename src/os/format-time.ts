/** Times in a format that is not known before, as the C library writes them. Counterpart in nginx: ngx_libc_localtime, strftime. */
import { gmtimeR, localtimeR, strftime, TM_BYTES } from "./ffi/time.ts";

/** Longest result. nginx: NGX_HTTP_SSI_DATE_LEN. */
const MAX_BYTES = 2048;

/** Undefined when the result is empty or too long. Texts are one character a byte. */
export function formatTime(format: string, epochS: number, isLocal: boolean): string | undefined {
  const time = new Uint8Array(TM_BYTES);
  (isLocal ? localtimeR : gmtimeR)(BigInt64Array.of(BigInt(epochS)), time);
  const target = new Uint8Array(MAX_BYTES);
  const length = strftime(target, MAX_BYTES, Buffer.from(`${format}\0`, "latin1"), time);
  return length === 0 ? undefined : Buffer.from(target.subarray(0, length)).toString("latin1");
}
