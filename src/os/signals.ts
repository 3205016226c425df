/** Signals by number, for those that Node has no name for: keepalived takes some of its orders by real-time signals. */
import { callback } from "./ffi/native.ts";
import { UV_SIGNAL, uvDefaultLoop, uvHandleSize, uvSignalInit, uvSignalStart, uvUnref } from "./ffi/signals.ts";
import { allocateMemory } from "./memory.ts";

/** SIGRTMIN as glibc and musl show it to programs is 34 or 35; keepalived counts from glibc's. */
export const SIGRTMIN = 34;

/** Calls back on the main loop whenever this process gets the signal, for ever. False when libuv refuses the number. */
export function onSignalNumber(signum: number, onSignal: () => void): boolean {
  const { address } = allocateMemory(Number(uvHandleSize(UV_SIGNAL)));
  if (uvSignalInit(Number(uvDefaultLoop()), address) !== 0) return false;
  const name = `void tandem_on_signal_${signum}(uint64_t handle, int signum)`;
  if (uvSignalStart(address, callback(name, onSignal), signum) !== 0) return false;
  uvUnref(address);
  return true;
}
