/** Which of the two reactors runs: what `use` of the events block asks for, or the quicker one, as far as the kernel allows it. */
import type { Reactor } from "../../io/reactor.ts";
import { SystemError } from "../errno.ts";
import { EpollReactor } from "./epoll.ts";
import { UringReactor } from "./uring.ts";
import { probeRing } from "./uring-ring.ts";

/** What does the work. */
export type EventMethod = "epoll" | "io_uring";

/** What is asked for: nothing in particular, or a word of `use`. */
export type WantedMethod = EventMethod | "any";

/** What will do the work; when io_uring was tried in vain, why. */
export interface MethodChoice {
  readonly method: EventMethod;
  readonly refusal: SystemError | undefined;
}

/**
 * Whether this process may use the method; io_uring where any will do, since a request costs less by it (bench: http, proxy). io_uring is
 * refused by seccomp, by the sysctl kernel.io_uring_disabled, by a kernel before Linux 6.1, or for lack of memory; epoll never is.
 */
export function chooseMethod(wanted: WantedMethod): MethodChoice {
  const refusal = wanted === "epoll" ? undefined : probeRing();
  return { method: wanted === "epoll" || refusal !== undefined ? "epoll" : "io_uring", refusal };
}

/**
 * The reactor by that method, or epoll where it is refused. The clock begins at `clockOriginMs` of CLOCK_MONOTONIC; `epollEvents` is how
 * many events epoll may bring at once.
 */
export function createReactor(
  wanted: WantedMethod,
  clockOriginMs?: number,
  epollEvents?: number,
): { readonly reactor: Reactor; readonly refusal: SystemError | undefined } {
  let refusal: SystemError | undefined;
  if (wanted !== "epoll") {
    try {
      return { reactor: new UringReactor(clockOriginMs), refusal };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      refusal = error;
    }
  }
  return { reactor: new EpollReactor(clockOriginMs, epollEvents), refusal };
}
