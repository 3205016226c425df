/** `tandem check --peers`: the running node and its partners on the peer channel, compared as their files would be. */
import { bindNginx } from "../check/bind-nginx.ts";
import { buildSubject } from "../check/build-subject.ts";
import type { NodeFacts } from "../check/facts.ts";
import type { Finding } from "../check/finding.ts";
import { checkDocument } from "../check/json.ts";
import { printReport, type Style } from "../check/report.ts";
import { runRules } from "../check/rules.ts";
import { labelOf, readerOfNode } from "../check/running-node.ts";
import type { Subject } from "../check/subject.ts";
import { judge, type Verdict } from "../check/verdict.ts";
import type { NodeFiles } from "../process/node-files.ts";
import type { PartnerFiles, PeersAnswer } from "../process/peers-answer.ts";

/** How findings count, and what the command ends with. */
export interface Severities {
  readonly strictly: (finding: Finding) => Finding;
  readonly exitStatus: (findings: readonly Finding[]) => number;
}

/** What came of one partner; a partner that has sent nothing has no check. */
interface Compared {
  readonly partner: PartnerFiles;
  readonly check:
    | { readonly subject: Subject; readonly findings: readonly Finding[]; readonly verdict: Verdict }
    | undefined;
  readonly status: number;
}

/** What is printed, on which stream, and the exit status. */
export interface PeersOutput {
  readonly out: string;
  readonly error: string;
  readonly status: number;
}

/** Nothing could be compared. */
export const UNREADABLE = 3;

/** Compares the node with each of its partners. As text or as JSON. */
export function checkPeers(
  answer: PeersAnswer,
  facts: NodeFacts | undefined,
  severities: Severities,
  style: Style | "json",
): PeersOutput {
  const compared = answer.partners.map((partner) => compare(answer.own, partner, facts, severities));
  const status = Math.max(...compared.map((one) => one.status), compared.length === 0 ? UNREADABLE : 0);
  const error = complaintsOf(answer, compared);
  const out = style === "json" ? documentOf(answer, compared, status) : textOf(compared, style);
  return { out, error, status };
}

function compare(
  own: NodeFiles,
  partner: PartnerFiles,
  facts: NodeFacts | undefined,
  { strictly, exitStatus }: Severities,
): Compared {
  const { files, offsetMs, roundTripMs } = partner;
  if (files === null) return { partner, check: undefined, status: UNREADABLE };
  const label = labelOf(files.node === own.node ? "partner" : files.node);
  const readers = { node: readerOfNode(own, undefined), peer: readerOfNode(files, label) };
  const portsOf = (reader: (typeof readers)["node"], { hostName }: NodeFiles) => ({
    reader,
    bindNginx: (source: Parameters<typeof bindNginx>[0]) => bindNginx(source, reader.lookUp, hostName),
  });
  const subject = buildSubject(
    {
      keepalived: own.keepalived,
      nginx: own.nginx ?? undefined,
      peerKeepalived: readers.peer.locate(files.keepalived),
      peerNginx: files.nginx === null ? undefined : readers.peer.locate(files.nginx),
      configId: own.configId,
      peerConfigId: files.configId,
      labels: { node: own.node, peer: files.node },
      live: {
        version: own.version,
        peerVersion: files.version,
        clock: offsetMs === null || roundTripMs === null ? undefined : { offsetMs, roundTripMs },
        stale: own.stale,
        peerStale: files.stale.map(readers.peer.locate),
      },
    },
    { ...portsOf(readers.node, own), facts, peer: portsOf(readers.peer, files) },
  );
  const findings = runRules(subject).map(strictly);
  return { partner, check: { subject, findings, verdict: judge(subject, findings) }, status: exitStatus(findings) };
}

function complaintsOf({ own }: PeersAnswer, compared: readonly Compared[]): string {
  if (compared.length === 0)
    return `tandem check: ${own.node} hears no partner on the peer channel: is Tandem running there, with the same peer_key, and does the firewall let its port through?\n`;
  return compared
    .filter(({ check }) => check === undefined)
    .map(({ partner: { name, version, why } }) => {
      const hint = version === own.version ? "" : ` (it runs Tandem ${version}, this node ${own.version})`;
      return `tandem check: ${name} can't be compared: ${why}${hint}\n`;
    })
    .join("");
}

function textOf(compared: readonly Compared[], style: Style): string {
  return compared
    .map(({ partner, check }) => {
      if (check === undefined) return "";
      const { subject, findings, verdict } = check;
      return `\n${headOf(partner)}\n${printReport(subject, findings, verdict, style)}`;
    })
    .join("");
}

function headOf({ name, address, interface: link, version, offsetMs, roundTripMs, files }: PartnerFiles): string {
  const clock =
    offsetMs === null
      ? "its clock is not compared yet"
      : `its clock is ${Math.abs(offsetMs).toFixed(1)} ms ${offsetMs < 0 ? "behind" : "ahead"} (± ${((roundTripMs ?? 0) / 2).toFixed(1)} ms)`;
  const leftOut = files?.isNginxLeftOut === true ? "; its nginx.conf is too long to be sent and is not compared" : "";
  return `Running partner ${name}, ${address} on ${link}, Tandem ${version}; ${clock}${leftOut}`;
}

/** One document, whose shape is kept. */
function documentOf({ own }: PeersAnswer, compared: readonly Compared[], exitStatus: number): string {
  const document = {
    version: 1,
    exitStatus,
    node: own.node,
    partners: compared.map(({ partner, check, status }) => ({
      name: partner.name,
      address: partner.address,
      interface: partner.interface,
      tandem: partner.version,
      clock: partner.offsetMs === null ? null : { offsetMs: partner.offsetMs, roundTripMs: partner.roundTripMs },
      isNginxLeftOut: partner.files?.isNginxLeftOut ?? false,
      why: partner.why === "" ? null : partner.why,
      check: check === undefined ? null : checkDocument(check.subject, check.findings, check.verdict, status),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
