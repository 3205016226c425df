/** `keepalived …` and `tandem keepalived …`: keepalived's command line and exit codes. This process is the parent itself. */
import { TANDEM_VERSION } from "../base/version.ts";
import { keepalivedUsage, keepalivedVersion, parseKeepalivedOptions, SIGNAL_NUMBERS } from "./keepalived-options.ts";

/** How long it runs: a daemon until it is told to end. Returns the exit status. */
export async function runKeepalived(args: readonly string[]): Promise<number> {
  const request = parseKeepalivedOptions(args);
  switch (request.kind) {
    case "error":
      process.stderr.write(`keepalived: ${request.message}\n`);
      return 1;
    case "help":
      process.stderr.write(keepalivedUsage());
      return 0;
    case "version":
      process.stderr.write(keepalivedVersion(TANDEM_VERSION));
      return 0;
    case "signum":
      return printSignal(request.name);
    case "run": {
      // Loaded late: `-v` shall not wait for the daemon's code.
      const { KeepalivedProgram } = await import("./keepalived-program.ts");
      return new KeepalivedProgram(request.options).run();
    }
  }
}

function printSignal(name: string): number {
  const number = SIGNAL_NUMBERS[name];
  if (number === undefined) {
    process.stderr.write(`Unknown sigfunc ${name}\n`);
    return 1;
  }
  process.stdout.write(`${number}\n`);
  return 0;
}
