/** What became of each peer that a request has been given to, for `$upstream_*` variables. Counterpart in nginx: ngx_http_upstream_state_t. */

/** Not known; a response time that is not known yet is that of a try that goes on. */
export const UNKNOWN = -1;

/** One try, or the mark between two upstreams that a request has been to (then `peer` is empty). */
export class Try {
  /** `$upstream_addr` */
  peer = "";
  /** 0: no status has come. */
  status = 0;
  /** Time in the queue of the upstream. */
  queueMs = UNKNOWN;
  connectMs = UNKNOWN;
  headerMs = UNKNOWN;
  responseMs = UNKNOWN;
  /** Bytes of the body as it came. */
  bodyBytes = 0;
  receivedBytes = 0;
  sentBytes = 0;

  reset(): void {
    this.peer = "";
    this.status = 0;
    this.queueMs = UNKNOWN;
    this.connectMs = UNKNOWN;
    this.headerMs = UNKNOWN;
    this.responseMs = UNKNOWN;
    this.bodyBytes = 0;
    this.receivedBytes = 0;
    this.sentBytes = 0;
  }
}

/** The tries of one request; the objects are used again. */
export class Tries {
  count = 0;
  private readonly all: Try[] = [];

  clear(): void {
    this.count = 0;
  }

  add(): Try {
    let one = this.all[this.count];
    if (one === undefined) {
      one = new Try();
      this.all[this.count] = one;
    } else one.reset();
    this.count++;
    return one;
  }

  /** The values of all tries: commas between peers, a colon between upstreams. Undefined when there was none. */
  print(value: (one: Try) => string): string | undefined {
    if (this.count === 0) return undefined;
    let text = "";
    for (let i = 0; i < this.count; i++) {
      const one = this.all[i] as Try;
      text += value(one);
      if (i + 1 === this.count) break;
      const isMark = this.all[i + 1]?.peer === "";
      text += isMark ? " : " : ", ";
      if (isMark) i++;
    }
    return text;
  }
}
