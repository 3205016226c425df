/** `tandem handover` and `tandem drain`: the node that runs on this machine gives its addresses to its partner. */
import { parseArgs } from "node:util";
import type { NodeAnswer } from "../process/node-orders.ts";
import { askStatus, DEFAULT_STATUS_SOCKET, orderNode } from "../process/status-socket.ts";
import type { HandoverResult } from "../vrrp/handovers.ts";

const OPTIONS = `
  --limit SECONDS  how long open connections may go on here (default handover_limit of keepalived.conf)
  --wait           return when the last of them has ended, too
  --socket PATH    where the node answers (default ${DEFAULT_STATUS_SOCKET})
`;

const HANDOVER_USAGE = `usage: tandem handover [INSTANCE…] [OPTIONS]

Gives the addresses of these instances, or of all that are active here, to the partner. A Tandem node that shares the peer_key
takes them before this node lets go; connections that are open here go on until they end. Another partner takes them
because this node ranks lowest for a while: no request in between finds nobody, but open connections are lost.
${OPTIONS}  --hitless        only to a partner that keeps open connections

The exit status is 1 when something could not be handed over.
`;

const DRAIN_USAGE = `usage: tandem drain [OPTIONS]
       tandem drain --undo

Hands everything over, as "tandem handover" does, and takes nothing back: the node becomes active only when nobody else
is there. --undo ends that.
${OPTIONS}`;

/** How often --wait looks. */
const LOOK_MS = 500;

interface Options {
  readonly names: readonly string[];
  readonly limitMs: number | undefined;
  readonly wait: boolean;
  readonly socket: string;
  readonly hitless: boolean;
  readonly undo: boolean;
}

/** Runs `tandem handover`; returns the exit status. */
export async function runHandover(args: readonly string[]): Promise<number> {
  const options = parse(args, true);
  if (typeof options === "string") return usage(options, HANDOVER_USAGE);
  const { names, limitMs, hitless } = options;
  const instances = names.length === 0 ? undefined : names;
  return carryOut(options, () =>
    orderNode(options.socket, { order: "handover", instances, limitMs, mayLower: !hitless }),
  );
}

/** Runs `tandem drain`; returns the exit status. */
export async function runDrain(args: readonly string[]): Promise<number> {
  const options = parse(args, false);
  if (typeof options === "string") return usage(options, DRAIN_USAGE);
  const { undo, limitMs } = options;
  const status = await carryOut(options, () =>
    orderNode(options.socket, { order: "drain", isDrained: !undo, limitMs }),
  );
  if (status === 0) process.stdout.write(undo ? "not drained any more\n" : "drained: no address is wanted here\n");
  return status;
}

function usage(problem: string, text: string): number {
  if (problem === "") process.stdout.write(text);
  else process.stderr.write(`tandem: ${problem}\n\n${text}`);
  return problem === "" ? 0 : 2;
}

/** The options; or what is wrong, "" when the usage is wanted. */
function parse(args: readonly string[], takesNames: boolean): Options | string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: takesNames,
    options: {
      limit: { type: "string" },
      wait: { type: "boolean", default: false },
      socket: { type: "string", default: DEFAULT_STATUS_SOCKET },
      hitless: { type: "boolean", default: false },
      undo: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { limit, wait, socket, hitless, undo, help } = values;
  if (help) return "";
  if (limit !== undefined && !/^\d+(\.\d+)?$/.test(limit)) return `--limit ${limit}: not a number of seconds`;
  return {
    names: positionals,
    limitMs: limit === undefined ? undefined : Number(limit) * 1000,
    wait,
    socket,
    hitless,
    undo,
  };
}

async function carryOut(options: Options, order: () => Promise<NodeAnswer>): Promise<number> {
  try {
    const { results } = await order();
    for (const result of results) process.stdout.write(`${sentence(result)}\n`);
    if (results.length === 0 && !options.undo) process.stdout.write("nothing is active here\n");
    if (options.wait) await untilDrained(options.socket);
    return results.every(({ isMoved }) => isMoved) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`tandem: ${(error as Error).message}\n`);
    return 1;
  }
}

function sentence({ instances, isMoved, how, to, reason }: HandoverResult): string {
  const names = instances.join(", ");
  if (!isMoved) return `${names}: not handed over: ${reason}`;
  const rest = reason === "" ? (how === "hitless" ? "open connections go on here" : "") : reason;
  return `${names}: handed over to ${to ?? "another router"}${rest === "" ? "" : `; ${rest}`}`;
}

async function untilDrained(socket: string): Promise<void> {
  for (;;) {
    const { vrrp } = await askStatus(socket);
    const going = (vrrp?.handovers ?? []).filter(({ side }) => side === "giver");
    if (going.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
