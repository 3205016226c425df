/** `tandem check`: what one node's files, or a pair's, will really do, explained. */
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { utf8 } from "../base/bytes.ts";
import { anyHost, bindNginx } from "../check/bind-nginx.ts";
import { buildSubject } from "../check/build-subject.ts";
import type { Finding } from "../check/finding.ts";
import { printJson } from "../check/json.ts";
import { nodeFacts } from "../check/node-facts.ts";
import { printReport, type Style } from "../check/report.ts";
import { keepalivedExtension } from "../check/rules/keepalived-extension.ts";
import { nginxExtension } from "../check/rules/nginx-extension.ts";
import { RULES, runRules } from "../check/rules.ts";
import { nodesOf } from "../check/subject.ts";
import { judge } from "../check/verdict.ts";
import type { ConfigReader } from "../conf/nginx/load.ts";
import { RecordingReader } from "../process/recorded-files.ts";
import { askPeers, DEFAULT_STATUS_SOCKET } from "../process/status-socket.ts";
import { checkPeers, UNREADABLE } from "./check-peers.ts";

/** Exit statuses. */
const CLEAN = 0;
const WARNINGS = 1;
const ERRORS = 2;

const USAGE = `usage: tandem check [nginx.conf] [keepalived.conf [--peer keepalived.conf]] [OPTIONS]
       tandem check --peers [OPTIONS]

Reads the files as nginx and keepalived would, works out what they will really do, and explains it
with file and line: what happens when a node dies, when nginx dies, and why it may not happen.
An nginx.conf alone is checked as a web server that is no part of a pair.

  --peer FILE         the other node's keepalived.conf
  --peer-nginx FILE   the other node's nginx.conf, when it is not the same
  --peers             what runs here and on the partners, asked for over the peer channel, with their clocks and versions
  --socket PATH       with --peers: where the node answers (default ${DEFAULT_STATUS_SOCKET})
  --offline           look at the files only, not at this machine's interfaces, firewall and paths
  --strict            warnings count as errors, and so does what only Tandem understands
  --json              one JSON document instead of text
  --rules             list the rules
  -i, --config-id ID  keepalived's own: which "@ID" lines are for this node (default: the host name)

Check scripts are read from their own path, or from a copy beside keepalived.conf.

Exit status: 0 nothing but notes, 1 warnings, 2 errors that break the pair, 3 files that can't be read or wrong usage;
with --peers also when no node runs here, it has no peer channel, or a partner is silent.
`;

/** Runs the command and returns its exit status. */
export async function runCheck(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (typeof options === "string") {
    process.stderr.write(`tandem check: ${options}\n\n${USAGE}`);
    return UNREADABLE;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return CLEAN;
  }
  if (options.rules) {
    for (const { id, doc } of RULES) process.stdout.write(`${id.padEnd(24)}  ${doc}\n`);
    return CLEAN;
  }
  if (options.peers) return runPeers(options);
  const reader = new RecordingReader();
  const sorted = sortFiles(options.files, reader, options.peer !== undefined);
  if (typeof sorted === "string") {
    process.stderr.write(`tandem check: ${sorted}\n`);
    return UNREADABLE;
  }
  const facts = options.offline ? undefined : nodeFacts();
  const request = {
    keepalived: sorted.keepalived,
    nginx: sorted.nginx,
    peerKeepalived: options.peer,
    peerNginx: options.peerNginx,
    configId: options.configId ?? (hostname().split(".")[0] as string),
  };
  const lookUp = options.offline ? anyHost : reader.lookUp;
  const subject = buildSubject(request, { reader, facts, bindNginx: (source) => bindNginx(source, lookUp) });
  const unreadable = nodesOf(subject).find(({ isUnread }) => isUnread);
  if (unreadable !== undefined) {
    process.stderr.write(`tandem check: ${unreadable.diagnostics[0]?.message ?? unreadable.file}\n`);
    return UNREADABLE;
  }
  const found = runRules(subject);
  const findings = options.strict ? found.map(strictly) : found;
  const verdict = judge(subject, findings);
  const status = exitStatus(findings, options.strict);
  process.stdout.write(
    options.json ? printJson(subject, findings, verdict, status) : printReport(subject, findings, verdict, terminal()),
  );
  return status;
}

/** How the terminal wants its text. */
function terminal(): Style {
  return {
    columns: process.stdout.columns ?? 100,
    hasColour: process.stdout.isTTY && process.env["NO_COLOR"] === undefined,
  };
}

async function runPeers({ socket, json, strict, offline }: Options): Promise<number> {
  try {
    const severities = {
      strictly: (finding: Finding) => (strict ? strictly(finding) : finding),
      exitStatus: (findings: readonly Finding[]) => exitStatus(findings, strict),
    };
    const facts = offline ? undefined : nodeFacts();
    const { out, error, status } = checkPeers(await askPeers(socket), facts, severities, json ? "json" : terminal());
    process.stderr.write(error);
    process.stdout.write(out);
    return status;
  } catch (error) {
    process.stderr.write(`tandem check: ${(error as Error).message}\n`);
    return UNREADABLE;
  }
}

/** Rules that name what only Tandem understands. */
const EXTENSIONS: readonly string[] = [keepalivedExtension.id, nginxExtension.id];

/** What keepalived would refuse is no matter of taste then. */
function strictly(finding: Finding): Finding {
  return EXTENSIONS.includes(finding.rule) ? { ...finding, severity: "error" } : finding;
}

function exitStatus(findings: readonly Finding[], isStrict: boolean): number {
  if (findings.some(({ severity }) => severity === "error")) return ERRORS;
  if (findings.some(({ severity }) => severity === "warning")) return isStrict ? ERRORS : WARNINGS;
  return CLEAN;
}

interface Options {
  readonly files: readonly string[];
  readonly peer: string | undefined;
  /** The partners of the running node. */
  readonly peers: boolean;
  readonly socket: string;
  readonly peerNginx: string | undefined;
  readonly configId: string | undefined;
  readonly offline: boolean;
  readonly strict: boolean;
  readonly json: boolean;
  readonly rules: boolean;
  readonly help: boolean;
}

/** The options, or what is wrong with them. */
function parse(args: readonly string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        peer: { type: "string" },
        peers: { type: "boolean", default: false },
        socket: { type: "string", default: DEFAULT_STATUS_SOCKET },
        "peer-nginx": { type: "string" },
        "config-id": { type: "string", short: "i" },
        offline: { type: "boolean", default: false },
        strict: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        rules: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.peers && (positionals.length > 0 || values.peer !== undefined || values["peer-nginx"] !== undefined))
      return "--peers checks what runs: it takes no files";
    return {
      files: positionals,
      peers: values.peers,
      socket: values.socket,
      peer: values.peer,
      peerNginx: values["peer-nginx"],
      configId: values["config-id"],
      offline: values.offline ?? false,
      strict: values.strict ?? false,
      json: values.json ?? false,
      rules: values.rules ?? false,
      help: values.help ?? false,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

/** Words that only a keepalived.conf begins a line with. */
const KEEPALIVED_WORDS =
  /^\s*(vrrp_instance|vrrp_script|vrrp_sync_group|global_defs|virtual_server|vrrp_track_process)\b/m;

/** Tells the files apart by what is in them, so that their order doesn't matter. */
function sortFiles(
  files: readonly string[],
  reader: ConfigReader,
  hasPeer: boolean,
): { keepalived: string | undefined; nginx: string | undefined } | string {
  let keepalived: string | undefined;
  let nginx: string | undefined;
  for (const file of files) {
    const bytes = reader.read(file);
    if ("errno" in bytes) return `${file}: ${bytes.text}`;
    if (KEEPALIVED_WORDS.test(utf8(bytes))) {
      if (keepalived !== undefined) return `${file} is a second keepalived.conf: give the other node's with --peer`;
      keepalived = file;
    } else if (nginx !== undefined) return `${file} is a second nginx.conf: give the other node's with --peer-nginx`;
    else nginx = file;
  }
  if (files.length === 0) return `no files to check\n\n${USAGE}`;
  if (keepalived === undefined && hasPeer)
    return `no keepalived.conf is among the files, but --peer names another\n\n${USAGE}`;
  return { keepalived, nginx };
}
