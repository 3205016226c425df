/** The logging port of a process, and logs that can be exchanged while others hold them. */
import type { Clock } from "../base/clock.ts";
import type { Level, Log, LogContext } from "../base/log.ts";
import type { Logging, LogTarget, SyslogSettings, SyslogSink } from "../io/logging.ts";
import { SyslogSender } from "../os/syslog.ts";
import { ErrorLog, type LogFiles } from "./error-log.ts";

/** Opens logs on the files of this process. */
export class ProcessLogging implements Logging {
  private readonly files: LogFiles;
  private readonly clock: Clock;

  constructor(files: LogFiles, clock: Clock) {
    this.files = files;
    this.clock = clock;
  }

  openLog(targets: readonly LogTarget[]): Log {
    return new ErrorLog(targets, this.files, this.clock);
  }

  openSyslog(settings: SyslogSettings): SyslogSink {
    return new SyslogSender(settings);
  }
}

/** A log whose destination changes with the configuration. */
export class ReplaceableLog implements Log {
  destination: Log;

  constructor(destination: Log) {
    this.destination = destination;
  }

  enabled(level: Level): boolean {
    return this.destination.enabled(level);
  }

  write(level: Level, message: string, context?: LogContext): void {
    this.destination.write(level, message, context);
  }
}

/** The wall clock and the monotonic one, read whenever asked. */
export const systemClock: Clock = { now: () => performance.now(), wall: () => Date.now() };
