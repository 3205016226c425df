/** `client_body_early_read`: the request's body is read before anything is done for it. nginx: ngx_http_read_early_body. */
import type { BodyTaker } from "./body-buffer.ts";
import { readRequestBody } from "./body-buffer.ts";
import { isBodyTooLarge } from "./engine.ts";
import type { Handler } from "./location.ts";
import { DONE, type Outcome, RUN } from "./outcome.ts";
import { isAnySet } from "./predicates.ts";
import type { Request } from "./request.ts";
import type { Text } from "./variables.ts";

/** Tells what came of it at once, or goes on with the request later. */
class EarlyBody implements BodyTaker {
  outcome: Outcome = DONE;
  private starting = true;

  read(request: Request): Outcome {
    readRequestBody(request, this);
    this.starting = false;
    return this.outcome;
  }

  onBody(request: Request, status: number): void {
    const outcome = status === 0 ? RUN : status;
    if (this.starting) this.outcome = outcome;
    else request.connection.resume(request, outcome);
  }
}

/** RUN when the body is there or not wanted yet, DONE when it is awaited, or the status to answer. */
export function earlyReader(conditions: readonly Text[]): Handler {
  return (request) => {
    if (!isAnySet(request, conditions)) return RUN;
    return isBodyTooLarge(request) ? 413 : new EarlyBody().read(request);
  };
}
