/** The sentence at the top: will this pair do what it is there for? */
import { type Outlook, outlookOf } from "./failover.ts";
import type { Finding } from "./finding.ts";
import type { Subject } from "./subject.ts";
import { capital } from "./text.ts";

/** Rules whose errors make both nodes hold the address. */
const SPLITTING: ReadonlySet<string> = new Set([
  "router-id-differs",
  "version-differs",
  "advert-interval-differs",
  "authentication-differs",
  "addresses-differ",
  "unicast-mismatch",
  "source-address",
  "clock-skew",
]);

/** One or two sentences, and how bad it is. */
export interface Verdict {
  readonly level: "good" | "doubtful" | "bad";
  readonly sentence: string;
  readonly reason: string;
}

/** The finding because of which both nodes hold the address; undefined when they hear each other. */
export function splitOf(findings: readonly Finding[]): Finding | undefined {
  return findings.find(({ rule, severity }) => severity === "error" && SPLITTING.has(rule));
}

/** Judges what was found. */
export function judge(subject: Subject, findings: readonly Finding[]): Verdict {
  const errors = findings.filter(({ severity }) => severity === "error");
  const [first] = errors;
  const split = splitOf(findings);
  if (split !== undefined)
    return {
      level: "bad",
      sentence: "Both nodes will hold the address at the same time.",
      reason: `They do not accept each other's adverts: ${split.title}.`,
    };
  if (subject.peer === undefined) return single(subject, first);
  const outlooks = subject.pairs.map(outlookOf);
  const isUntracked = ({ serviceDies }: Outlook): boolean =>
    serviceDies.kind === "stays" && serviceDies.reason === "untracked";
  const [stuck] = outlooks.filter(
    (one) => one.serviceDies.kind === "stays" && (one.service !== undefined || !isUntracked(one)),
  );
  if (stuck !== undefined)
    return {
      level: "bad",
      sentence: `This pair will not fail over when ${stuck.service ?? "its service"} dies.`,
      reason: reasonOf(stuck),
    };
  if (subject.pairs.length === 0)
    return {
      level: "bad",
      sentence: "These two files do not make a pair.",
      reason: "No vrrp_instance of one has a partner in the other.",
    };
  if (first !== undefined)
    return { level: "bad", sentence: "This pair has errors that will hurt.", reason: `First: ${first.title}.` };
  if (outlooks.some(isUntracked))
    return {
      level: "doubtful",
      sentence: "This pair fails over when a node dies; no service on it is watched.",
      reason: "If there is one, let keepalived watch it.",
    };
  const [unclear] = outlooks.filter(({ serviceDies }) => serviceDies.kind === "unknown");
  if (unclear !== undefined)
    return {
      level: "doubtful",
      sentence: `This pair fails over when a node dies; whether it does when ${unclear.service ?? "its service"} dies can't be told.`,
      reason: `${capital(unclear.serviceDies.how)}.`,
    };
  const warnings = findings.filter(({ severity }) => severity === "warning").length;
  return {
    level: warnings > 0 ? "doubtful" : "good",
    sentence: `This pair fails over when a node dies and when ${outlooks[0]?.service ?? "its service"} dies.`,
    reason:
      warnings === 0
        ? "Nothing was found against it."
        : `${warnings === 1 ? "One thing" : `${warnings} things`} should be put right all the same.`,
  };
}

function single(subject: Subject, first: Finding | undefined): Verdict {
  if (first !== undefined)
    return { level: "bad", sentence: "This node has errors that will hurt.", reason: `First: ${first.title}.` };
  const isAlone = subject.node.config.instances.length > 0;
  return {
    level: "doubtful",
    sentence: isAlone
      ? "Nothing on this node breaks it; only its partner's file can say whether the pair works."
      : "Nothing was found that breaks this.",
    reason: isAlone ? "Give the partner's keepalived.conf with --peer." : "",
  };
}

function reasonOf({ serviceDies, roles, service = "the service" }: Outlook): string {
  if (serviceDies.kind !== "stays") return "";
  switch (serviceDies.reason) {
    case "always-failing":
      return `The check fails all the time, also while ${service} runs, so nothing changes when ${service} really dies: the address stays on the dead node, for ever.`;
    case "untracked":
      return `Nothing watches ${service}: the address stays on ${roles.activeNode.label} for as long as that machine is alive.`;
    default:
      return `${capital(serviceDies.how)}: the address stays on ${roles.activeNode.label}.`;
  }
}
