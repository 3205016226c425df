/** An access log that can't be written: what the error log hears of it, and how often. Counterpart in nginx: ngx_http_log_write. */
import { LOGGING_REQUEST } from "./actions.ts";
import type { Request } from "./request.ts";

const ENOSPC = 28;
/** nginx tells of a failing log once a minute, not once a request. */
const COMPLAINT_EVERY_S = 60;

export class LogFailure {
  /** The second in which the disk was last found full; 0: never. */
  private fullS = 0;
  private complainedS = 0;

  /** The disk was full a moment ago: the lines of this second are lost, so that nobody waits for it again and again. */
  isFull(nowS: () => number): boolean {
    return this.fullS !== 0 && this.fullS === nowS();
  }

  /** `written` is -errno, or fewer bytes than there were. */
  note(request: Request, name: string, written: number, sizeBytes: number, nowS: number): void {
    if (written === -ENOSPC) this.fullS = nowS;
    if (nowS - this.complainedS < COMPLAINT_EVERY_S) return;
    this.complainedS = nowS;
    const { connection } = request;
    if (written < 0) connection.logError("alert", `write() to "${name}" failed`, -written, LOGGING_REQUEST);
    else connection.logError("alert", incomplete(name, written, sizeBytes), undefined, LOGGING_REQUEST);
  }
}

/** A part of a line has been written. */
export function incomplete(name: string, written: number, sizeBytes: number): string {
  return `write() to "${name}" was incomplete: ${written} of ${sizeBytes}`;
}
