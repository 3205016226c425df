/** The log of a program that is coming up: what is at least a warning appears on standard error too, as `nginx: [emerg] text`. */
import { LEVELS, type Level, type Log, type LogContext } from "../base/log.ts";
import { printMessage } from "./error-log.ts";

const WARN = LEVELS.indexOf("warn");

export class StartupLog implements Log {
  private readonly file: Log | undefined;
  private readonly print: (line: string) => void;
  private readonly name: string;

  /** `file` is missing when it could not be opened; `print` writes a line to standard error. */
  constructor(name: string, file: Log | undefined, print: (line: string) => void) {
    this.name = name;
    this.file = file;
    this.print = print;
  }

  enabled(level: Level): boolean {
    return LEVELS.indexOf(level) <= WARN || (this.file?.enabled(level) ?? false);
  }

  write(level: Level, message: string, context: LogContext = {}): void {
    this.file?.write(level, message, context);
    if (LEVELS.indexOf(level) <= WARN) this.print(`${this.name}: [${level}] ${printMessage(message, context)}`);
  }
}
