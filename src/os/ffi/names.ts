/** getaddrinfo(3), freeaddrinfo(3). */
import { native } from "./native.ts";

/** 0, or one of EAI_: the C library's own codes, not errno. `result` takes the address of a `struct addrinfo`, 64 bits. */
export const getaddrinfo = native<(name: string, service: null, hints: Uint8Array, result: Uint8Array) => number>(
  "int getaddrinfo(const char *name, const char *service, void *hints, void *result)",
);
export const freeaddrinfo = native<(list: number) => void>("void freeaddrinfo(uint64_t list)");
