/** libuv's signal handles: Node names no real-time signals, libuv watches any number. */
import { native } from "./native.ts";

export const UV_SIGNAL = 16;

export const uvDefaultLoop = native<() => number | bigint>("uint64_t uv_default_loop()");
export const uvHandleSize = native<(type: number) => number>("size_t uv_handle_size(int type)");
export const uvSignalInit = native<(loop: number, handle: number) => number>(
  "int uv_signal_init(uint64_t loop, uint64_t handle)",
);
export const uvSignalStart = native<(handle: number, callback: unknown, signum: number) => number>(
  "int uv_signal_start(uint64_t handle, void *callback, int signum)",
);
export const uvUnref = native<(handle: number) => void>("void uv_unref(uint64_t handle)");
