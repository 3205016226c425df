/** Lines on standard error. */
import { writeSync } from "node:fs";

/** One line on standard error. Written synchronously, and lost without complaint where standard error is closed. */
export function printError(line: string, fd = 2): void {
  try {
    writeSync(fd, `${line}\n`);
  } catch {
    // There is nobody to tell.
  }
}
