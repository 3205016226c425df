/** `tandem up`: both halves of a node in one process tree. The process that is started is the parent of both. */
import path from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_STATUS_SOCKET } from "../process/status-socket.ts";
import { environmentOf } from "../process/worker-environment.ts";
import { earlyWorkersInForeground } from "./early-start.ts";
import { nginxServer } from "./nginx.ts";
import { defaultLayout, layoutOf, parseNginxOptions } from "./nginx-options.ts";

const USAGE = `usage: tandem up [--nginx FILE] [--keepalived FILE] [OPTIONS]

  --nginx FILE        run the web server on this nginx.conf
  --keepalived FILE   run the VRRP router on this keepalived.conf
  -p, --prefix DIR    where relative paths of nginx.conf begin, as nginx's -p
  -e, --error-log F   nginx's error log unless its configuration says otherwise, as nginx's -e (default stderr)
  -g DIRECTIVES       global directives for nginx.conf, as nginx's -g
  -i, --config-id ID  what conditional lines of keepalived.conf ask for, as keepalived's -i
  --socket PATH       where "tandem status" is answered (default ${DEFAULT_STATUS_SOCKET}; "" for nowhere)

It stays in the foreground and logs to standard error; "daemon" of nginx.conf has no say. Signals:
  HUP   both read their configuration again; a faulty one changes nothing
  QUIT  a graceful end: the addresses go to the partner first, then running requests are finished
  TERM, INT   the addresses go to the partner, then the end at once
  USR1  nginx's log files are opened anew     WINCH  nginx's workers finish
`;

/** How long it runs: until it is told to end. Returns the exit status. */
export async function runUp(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nginx: { type: "string" },
      keepalived: { type: "string" },
      prefix: { type: "string", short: "p" },
      "error-log": { type: "string", short: "e" },
      globals: { type: "string", short: "g" },
      "config-id": { type: "string", short: "i" },
      socket: { type: "string", default: DEFAULT_STATUS_SOCKET },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.nginx === undefined && values.keepalived === undefined) {
    process.stderr.write(`tandem: nothing to run: name --nginx FILE, --keepalived FILE or both\n\n${USAGE}`);
    return 2;
  }
  // Loaded late: the usage shall not wait for the servers' code, nor the first worker for the parent's.
  const { SpareWorkers } = await import("../process/spare-workers.ts");
  const spare = new SpareWorkers();
  const nginx = values.nginx === undefined ? undefined : nginxRequest(values.nginx, values);
  if (nginx !== undefined) {
    const command = { program: nginxServer.workerProgram, environment: environmentOf([], process.env) };
    spare.startEarly(command, earlyWorkersInForeground(nginx.globalDirectives, nginx.layout));
  }
  const { UpProgram } = await import("./up-program.ts");
  const status = await new UpProgram({
    nginx,
    keepalived:
      values.keepalived === undefined
        ? undefined
        : { file: path.resolve(values.keepalived), configId: values["config-id"] },
    socket: values.socket,
    spare,
  }).run();
  spare.discard();
  return status;
}

/** The same words as nginx's own command line, so that paths mean the same. */
function nginxRequest(file: string, values: { prefix?: string; "error-log"?: string; globals?: string }) {
  const options = parseNginxOptions([
    "-c",
    path.resolve(file),
    ...(values.prefix === undefined ? [] : ["-p", `${path.resolve(values.prefix)}/`]),
    "-e",
    values["error-log"] ?? "stderr",
    ...(values.globals === undefined ? [] : ["-g", values.globals]),
  ]);
  if (typeof options === "string") throw new Error(options);
  return { layout: layoutOf(options, defaultLayout()), globalDirectives: options.globalDirectives };
}
