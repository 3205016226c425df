/** An access log that can't be written: what the error log hears of it, and how often. Counterpart in nginx: ngx_http_log_write. */
import type { Level } from "../base/log.ts";

const ENOSPC = 28;
/** nginx tells of a failing log once a minute, not once a request. */
const COMPLAINT_EVERY_S = 60;

/** Tells the error log, on behalf of whoever is being logged. */
export type Complain = (level: Level, message: string, errno?: number) => void;

export class LogFailure {
  /** The second in which the disk was last found full; 0: never. */
  private fullS = 0;
  private complainedS = 0;

  /** The disk was full a moment ago: the lines of this second are lost, so that nobody waits for it again and again. */
  isFull(nowS: () => number): boolean {
    return this.fullS !== 0 && this.fullS === nowS();
  }

  /** `written` is -errno, or fewer bytes than there were. */
  note(complain: Complain, name: string, written: number, sizeBytes: number, nowS: number): void {
    if (written === -ENOSPC) this.fullS = nowS;
    if (nowS - this.complainedS < COMPLAINT_EVERY_S) return;
    this.complainedS = nowS;
    if (written < 0) complain("alert", `write() to "${name}" failed`, -written);
    else complain("alert", incomplete(name, written, sizeBytes));
  }
}

/** A part of a line has been written. */
export function incomplete(name: string, written: number, sizeBytes: number): string {
  return `write() to "${name}" was incomplete: ${written} of ${sizeBytes}`;
}
