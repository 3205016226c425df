/** `tandem COMMAND …`: finds the command and runs it. A command's code is loaded only when it is asked for. */
import { TANDEM_VERSION } from "../base/version.ts";

/** A command: takes its arguments, returns the exit status. */
export type Command = (args: readonly string[]) => Promise<number>;

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  up: {
    summary: "run a node: nginx.conf and keepalived.conf together",
    load: async () => (await import("./up.ts")).runUp,
  },
  lab: {
    summary: "rehearse a pair's configuration on this machine",
    load: async () => (await import("./lab.ts")).runLab,
  },
  nginx: {
    summary: "the web server half alone, with nginx's own options",
    load: async () => (await import("./nginx.ts")).runNginx,
  },
  explain: {
    summary: "what a directive, keyword or variable is, and where a configuration sets it",
    load: async () => (await import("./explain.ts")).runExplain,
  },
  reference: {
    summary: "write the reference pages",
    load: async () => (await import("./reference.ts")).runReference,
  },
  keepalived: {
    summary: "the VRRP half alone, with keepalived's own options",
    load: async () => (await import("./keepalived.ts")).runKeepalived,
  },
  status: {
    summary: "how the node that runs on this machine is",
    load: async () => (await import("./status.ts")).runStatus,
  },
  why: {
    summary: "what happened, and why this node has the addresses or has not",
    load: async () => (await import("./why.ts")).runWhy,
  },
  handover: {
    summary: "give this node's addresses to its partner without breaking a connection",
    load: async () => (await import("./handover.ts")).runHandover,
  },
  drain: {
    summary: "give everything to the partner and take nothing back",
    load: async () => (await import("./handover.ts")).runDrain,
  },
  check: {
    summary: "what a node's files, or a pair's, will really do, explained with file and line",
    load: async () => (await import("./check.ts")).runCheck,
  },
  "install-service": {
    summary: "start at boot: writes and enables a systemd unit",
    load: async () => (await import("./install-service.ts")).runInstallService,
  },
};

function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `usage: tandem COMMAND [ARGUMENTS]\n\n${lines.join("\n")}\n\n"tandem COMMAND --help" says more about a command.\n`;
}

/** Runs the command that the arguments name, and returns the exit status. */
export async function runTandem(args: readonly string[]): Promise<number> {
  process.stdout.on("error", endQuietly);
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  if (name === "version" || name === "--version" || name === "-v") {
    process.stdout.write(`tandem ${TANDEM_VERSION}\n`);
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    process.stderr.write(`tandem: unknown command "${name}"\n\n${usage()}`);
    return 2;
  }
  const command = await entry.load();
  try {
    return await command(rest);
  } catch (error) {
    if (!isWrongArgument(error)) throw error;
    // What follows the first sentence is about Node's own conventions.
    const [sentence] = error.message.split(". ");
    process.stderr.write(`tandem ${name}: ${sentence}\n"tandem ${name} --help" says more\n`);
    return 2;
  }
}

/** Whoever reads standard output has seen enough: `tandem check … | head`. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}

/** What `parseArgs` throws for an option that is unknown or lacks its value. */
function isWrongArgument(error: unknown): error is Error {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS_");
}
