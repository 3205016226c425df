/** `tandem explain failover FILE [--peer FILE]…`: what follows from every single and double fault, from the files alone. */
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { buildSubject } from "../check/build-subject.ts";
import type { Finding } from "../check/finding.ts";
import { runRules } from "../check/rules.ts";
import type { CheckedNode, Subject } from "../check/subject.ts";
import { splitOf } from "../check/verdict.ts";
import { type Explanation, explainUnit } from "../check/what-if/explain.ts";
import { explanationsJson, printExplanations } from "../check/what-if/report.ts";
import { type Program, unitsOf } from "../check/what-if/world.ts";
import type { ConfigReader } from "../conf/nginx/load.ts";
import { RecordingReader } from "../process/recorded-files.ts";

const CLEAN = 0;
const TRAPS = 1;
const UNREADABLE = 3;
/** Nodes of one virtual router; the pairs of faults grow with the square. */
const MAX_NODES = 8;

const USAGE = `usage: tandem explain failover keepalived.conf [--peer keepalived.conf]… [OPTIONS]

Computes what follows when something breaks, and when a second thing breaks: who has the addresses then, why, after
how many milliseconds, and what clients miss. Nothing is run and nothing of this machine is looked at.

  --peer FILE         another node's keepalived.conf; several times for several nodes
  --as keepalived     nodes run keepalived instead of Tandem
  --all               every pair of faults, not only those that are traps
  --json              one JSON document instead of text
  -i, --config-id ID  keepalived's own: which "@ID" lines are for the first node (default: the host name)

Check scripts are read from their own path, or from a copy beside keepalived.conf.

Exit status: 0 no single fault that a node could survive is a trap, 1 there are traps, 3 files that can't be read or wrong usage.
`;

/** Rules whose findings are about what a fail-over does. */
const FAILOVER_RULES: ReadonlySet<string> = new Set([
  "addresses-differ",
  "advert-interval-differs",
  "authentication-differs",
  "instance-unpaired",
  "nopreempt-blocks",
  "nopreempt-void",
  "priority-equal",
  "priority-owner",
  "router-id-differs",
  "script-always-fails",
  "script-blind",
  "script-dash",
  "script-timeout",
  "source-address",
  "state-both-master",
  "unicast-mismatch",
  "upstream-unknown",
  "upstream-untied",
  "version-differs",
  "weight-too-small",
]);

/** What a what-if of some files comes to. */
export interface WhatIf {
  readonly explanations: readonly Explanation[];
  readonly findings: readonly Finding[];
}

/** Computes everything, or says which file can't be read. */
export function whatIf(
  files: readonly string[],
  configId: string,
  program: Program,
  reader: ConfigReader,
): WhatIf | string {
  const [first, ...others] = files;
  const check = (peer: string | undefined): Subject =>
    buildSubject(
      { keepalived: first, nginx: undefined, peerKeepalived: peer, peerNginx: undefined, configId },
      { reader, facts: undefined },
    );
  const subjects = others.length === 0 ? [check(undefined)] : others.map(check);
  const nodes = labelled([subjects[0]?.node, ...subjects.map(({ peer }) => peer)].filter((node) => node !== undefined));
  const unread = nodes.find(({ isUnread }) => isUnread);
  if (unread !== undefined) return unread.diagnostics[0]?.message ?? unread.file;
  const findings = subjects.flatMap((subject) => runRules(subject).filter(({ rule }) => FAILOVER_RULES.has(rule)));
  const units = unitsOf(nodes, program, splitOf(findings) !== undefined);
  return { explanations: units.map(explainUnit), findings: distinct(findings) };
}

/** Nodes of one name would be one node to whoever reads of them. */
function labelled(nodes: readonly CheckedNode[]): readonly CheckedNode[] {
  const names = nodes.map(({ label }) => label);
  const isPlain = (label: string): boolean =>
    names.filter((name) => name === label).length === 1 && !label.startsWith("the ");
  return nodes.map((node, i) => (isPlain(node.label) ? node : { ...node, label: `node ${i + 1}` }));
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ rule, title, nodes }) => {
    const key = JSON.stringify([rule, title, nodes]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Runs the command and returns its exit status. */
export async function runExplainFailover(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      peer: { type: "string", multiple: true, default: [] },
      as: { type: "string", default: "tandem" },
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      "config-id": { type: "string", short: "i" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return CLEAN;
  }
  const files = [...positionals, ...values.peer];
  const wrong = wrongUsage(positionals, files, values.as);
  if (wrong !== undefined) {
    process.stderr.write(`tandem explain failover: ${wrong}\n\n${USAGE}`);
    return UNREADABLE;
  }
  const configId = values["config-id"] ?? (hostname().split(".")[0] as string);
  const found = whatIf(files, configId, values.as as Program, new RecordingReader());
  if (typeof found === "string") {
    process.stderr.write(`tandem explain failover: ${found}\n`);
    return UNREADABLE;
  }
  const { explanations, findings } = found;
  const style = { columns: process.stdout.columns ?? 100, isWhole: values.all };
  process.stdout.write(
    values.json ? explanationsJson(explanations, findings) : printExplanations(explanations, findings, style),
  );
  // Two faults at once may well be one too many: whoever reads decides.
  const hasTraps =
    findings.some(({ severity }) => severity !== "info") ||
    explanations.some(({ traps, singles }) => traps.length > 0 || singles.some(({ isTrap }) => isTrap));
  return hasTraps ? TRAPS : CLEAN;
}

function wrongUsage(positionals: readonly string[], files: readonly string[], program: string): string | undefined {
  if (positionals.length !== 1) return "one keepalived.conf, and the other nodes' with --peer";
  if (files.length > MAX_NODES) return `more than ${MAX_NODES} nodes`;
  if (program !== "tandem" && program !== "keepalived") return `--as ${program}: tandem or keepalived`;
  return undefined;
}
