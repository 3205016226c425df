/** Which of the two reactors runs: what `use` of the events block asks for, as far as the kernel allows it. */
import type { Reactor } from "../../io/reactor.ts";
import { SystemError } from "../errno.ts";
import { EpollReactor } from "./epoll.ts";
import { UringReactor } from "./uring.ts";
import { probeRing } from "./uring-ring.ts";

/** The words of `use`. */
export type EventMethod = "epoll" | "io_uring";

/** What will do the work; when that isn't what was asked for, why not. */
export interface MethodChoice {
  readonly method: EventMethod;
  readonly refusal: SystemError | undefined;
}

/**
 * Whether this process may use the method. io_uring is refused by seccomp, by the sysctl kernel.io_uring_disabled, by a kernel
 * before Linux 6.1, or for lack of memory; epoll never is.
 */
export function chooseMethod(wanted: EventMethod): MethodChoice {
  const refusal = wanted === "io_uring" ? probeRing() : undefined;
  return { method: refusal === undefined ? wanted : "epoll", refusal };
}

/** The reactor by that method, or epoll where it is refused. The clock begins at `clockOriginMs` of CLOCK_MONOTONIC. */
export function createReactor(
  wanted: EventMethod,
  clockOriginMs?: number,
): { readonly reactor: Reactor; readonly refusal: SystemError | undefined } {
  let refusal: SystemError | undefined;
  if (wanted === "io_uring") {
    try {
      return { reactor: new UringReactor(clockOriginMs), refusal };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      refusal = error;
    }
  }
  return { reactor: new EpollReactor(clockOriginMs), refusal };
}
