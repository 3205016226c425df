/** `tandem status`: asks the node that runs on this machine how it is. */
import { parseArgs } from "node:util";
import { printStatus } from "../admin/print-status.ts";
import { askStatus, DEFAULT_STATUS_SOCKET } from "../process/status-socket.ts";

const USAGE = `usage: tandem status [--json] [--socket PATH]

  --json         print the status document as JSON
  --socket PATH  where the node answers (default ${DEFAULT_STATUS_SOCKET})

The exit status is 1 when no node answers.
`;

/** Runs the command; returns the exit status. */
export async function runStatus(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      socket: { type: "string", default: DEFAULT_STATUS_SOCKET },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const status = await askStatus(values.socket);
    process.stdout.write(values.json ? `${JSON.stringify(status, undefined, 2)}\n` : printStatus(status));
    return 0;
  } catch (error) {
    process.stderr.write(`tandem: ${(error as Error).message}\n`);
    return 1;
  }
}
