/** All rules, in the order of their findings: what breaks the pair first. */
import type { Finding, Place, Rule } from "./finding.ts";
import { SEVERITIES } from "./finding.ts";
import { addressesDiffer } from "./rules/addresses-differ.ts";
import { advertIntervalDiffers } from "./rules/advert-interval-differs.ts";
import { authenticationClear } from "./rules/authentication-clear.ts";
import { authenticationDiffers } from "./rules/authentication-differs.ts";
import { configurationMessages } from "./rules/configuration-messages.ts";
import { firewall } from "./rules/firewall.ts";
import { instanceUnpaired } from "./rules/instance-unpaired.ts";
import { interfaceMissing } from "./rules/interface-missing.ts";
import { interfaceNames } from "./rules/interface-names.ts";
import { keepalivedExtension } from "./rules/keepalived-extension.ts";
import { nginxDirectives } from "./rules/nginx-directives.ts";
import { nginxFiles } from "./rules/nginx-files.ts";
import { nginxListen } from "./rules/nginx-listen.ts";
import { nginxProxyDefaults } from "./rules/nginx-proxy-defaults.ts";
import { nginxRootUser } from "./rules/nginx-root-user.ts";
import { nginxUnwatched } from "./rules/nginx-unwatched.ts";
import { nopreemptBlocks } from "./rules/nopreempt-blocks.ts";
import { nopreemptVoid } from "./rules/nopreempt-void.ts";
import { priorityEqual } from "./rules/priority-equal.ts";
import { priorityOwner } from "./rules/priority-owner.ts";
import { routerIdDiffers } from "./rules/router-id-differs.ts";
import { scriptAlwaysFails } from "./rules/script-always-fails.ts";
import { scriptBlind } from "./rules/script-blind.ts";
import { scriptDash } from "./rules/script-dash.ts";
import { scriptNginxPath } from "./rules/script-nginx-path.ts";
import { scriptRunnable } from "./rules/script-runnable.ts";
import { scriptSecurity } from "./rules/script-security.ts";
import { scriptTimeout } from "./rules/script-timeout.ts";
import { sourceAddress } from "./rules/source-address.ts";
import { stateBothMaster } from "./rules/state-both-master.ts";
import { unicastMismatch } from "./rules/unicast-mismatch.ts";
import { upstreamUnknown } from "./rules/upstream-unknown.ts";
import { upstreamUntied } from "./rules/upstream-untied.ts";
import { versionDiffers } from "./rules/version-differs.ts";
import { weightTooSmall } from "./rules/weight-too-small.ts";
import type { Subject } from "./subject.ts";

/** Every file of `rules/`, once. */
export const RULES: readonly Rule<Subject>[] = [
  scriptDash,
  scriptAlwaysFails,
  scriptTimeout,
  scriptBlind,
  nginxUnwatched,
  weightTooSmall,
  nopreemptBlocks,
  routerIdDiffers,
  versionDiffers,
  advertIntervalDiffers,
  authenticationDiffers,
  addressesDiffer,
  unicastMismatch,
  sourceAddress,
  instanceUnpaired,
  firewall,
  interfaceMissing,
  scriptNginxPath,
  scriptRunnable,
  nginxListen,
  nginxFiles,
  nginxDirectives,
  upstreamUnknown,
  nginxProxyDefaults,
  configurationMessages,
  nopreemptVoid,
  priorityOwner,
  priorityEqual,
  stateBothMaster,
  scriptSecurity,
  nginxRootUser,
  authenticationClear,
  interfaceNames,
  upstreamUntied,
  keepalivedExtension,
];

/** Runs all rules; errors first, within a severity in the order of the rules. */
export function runRules(subject: Subject): readonly Finding[] {
  const findings = join(RULES.flatMap((rule) => rule.check(subject).map((found) => ({ rule: rule.id, ...found }))));
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity)).map(
    ({ places, ...finding }) => ({ ...finding, places: distinct(places).map((place) => withText(place, subject)) }),
  );
}

/** What is the same on both nodes is said once. */
function join(findings: readonly Finding[]): readonly Finding[] {
  const joined = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.rule, finding.severity, finding.title, finding.why, finding.fix]);
    const known = joined.get(key);
    if (known === undefined) joined.set(key, finding);
    else {
      const nodes = [...new Set([...(known.nodes ?? []), ...(finding.nodes ?? [])])];
      const details = [known.detail, finding.detail].filter((detail) => detail !== undefined);
      joined.set(key, {
        ...known,
        places: [...known.places, ...finding.places],
        ...(nodes.length > 0 ? { nodes } : {}),
        ...(details.length > 0 ? { detail: details.join("; ") } : {}),
      });
    }
  }
  return [...joined.values()];
}

function distinct(places: readonly Place[]): readonly Place[] {
  return [...new Map(places.map((place) => [`${place.file}:${place.line}`, place])).values()];
}

function withText({ file, line, column, isExact }: Place, { texts }: Subject): Place {
  const text = texts.get(file)?.split("\n")[line - 1]?.trimEnd();
  return {
    file,
    line,
    ...(column === undefined ? {} : { column }),
    ...(isExact === undefined ? {} : { isExact }),
    ...(text === undefined ? {} : { text }),
  };
}
