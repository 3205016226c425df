/** What a handler says. Negative numbers never meet a status code. */

/** Phases: this one is satisfied, go on with the next. Content: the answer has been sent. */
export const OK = 0;
/** The connection is of no use any more. */
export const ERROR = -1;
/** The phases must run again, from where the request now stands (internal redirect, rewrite). */
export const RUN = -2;
/** The handler itself will call `finalize` later. */
export const DONE = -4;
/** I have not decided yet: ask me again when the request is posted (`Connection.post`) or resumed with RUN. */
export const AGAIN = -3;
/** Not mine: the next handler of this phase. */
export const DECLINED = -5;

/** OK, ERROR, RUN, DONE, AGAIN, DECLINED or a status code from 100 up; or a promise of these for what must wait. */
export type Outcome = number | Promise<number>;

/** nginx's own codes: 444 closes without an answer, the others are answered with 400. */
export const CLOSE = 444;
export const HEADER_TOO_LARGE = 494;
export const CLIENT_CLOSED = 499;
