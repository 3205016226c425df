/** All rules, in the order of their findings: what breaks the pair first. */
import type { Finding, Place, Rule } from "./finding.ts";
import { SEVERITIES } from "./finding.ts";
import { addressesDiffer } from "./rules/addresses-differ.ts";
import { advertIntervalDiffers } from "./rules/advert-interval-differs.ts";
import { authenticationClear } from "./rules/authentication-clear.ts";
import { authenticationDiffers } from "./rules/authentication-differs.ts";
import { clockSkew } from "./rules/clock-skew.ts";
import { configurationMessages } from "./rules/configuration-messages.ts";
import { configurationStale } from "./rules/configuration-stale.ts";
import { firewall } from "./rules/firewall.ts";
import { instanceUnpaired } from "./rules/instance-unpaired.ts";
import { interfaceMissing } from "./rules/interface-missing.ts";
import { interfaceNames } from "./rules/interface-names.ts";
import { keepalivedExtension } from "./rules/keepalived-extension.ts";
import { listensDiffer } from "./rules/listens-differ.ts";
import { nginxAccessOrder } from "./rules/nginx-access-order.ts";
import { nginxAccessOvertaken } from "./rules/nginx-access-overtaken.ts";
import { nginxAliasRegex } from "./rules/nginx-alias-regex.ts";
import { nginxAliasTraversal } from "./rules/nginx-alias-traversal.ts";
import { nginxAllowWithoutDeny } from "./rules/nginx-allow-without-deny.ts";
import { nginxAuthVoid } from "./rules/nginx-auth-void.ts";
import { nginxAutoindex } from "./rules/nginx-autoindex.ts";
import { nginxBodyUnlimited } from "./rules/nginx-body-unlimited.ts";
import { nginxCacheCookies } from "./rules/nginx-cache-cookies.ts";
import { nginxCacheKey } from "./rules/nginx-cache-key.ts";
import { nginxConditionNever } from "./rules/nginx-condition-never.ts";
import { nginxDefaultServer } from "./rules/nginx-default-server.ts";
import { nginxDirectives } from "./rules/nginx-directives.ts";
import { nginxErrorLogOff } from "./rules/nginx-error-log-off.ts";
import { nginxErrorPageLoop } from "./rules/nginx-error-page-loop.ts";
import { nginxExtension } from "./rules/nginx-extension.ts";
import { nginxFiles } from "./rules/nginx-files.ts";
import { nginxHeaderContentType } from "./rules/nginx-header-content-type.ts";
import { nginxHeaderDropped } from "./rules/nginx-header-dropped.ts";
import { nginxHeaderMultiline } from "./rules/nginx-header-multiline.ts";
import { nginxHostSpoofing } from "./rules/nginx-host-spoofing.ts";
import { nginxHttpSplitting } from "./rules/nginx-http-splitting.ts";
import { nginxHttpsDowngrade } from "./rules/nginx-https-downgrade.ts";
import { nginxIfFile } from "./rules/nginx-if-file.ts";
import { nginxIfHost } from "./rules/nginx-if-host.ts";
import { nginxIfTrap } from "./rules/nginx-if-trap.ts";
import { nginxLimitConnWeak } from "./rules/nginx-limit-conn-weak.ts";
import { nginxLimitDryRun } from "./rules/nginx-limit-dry-run.ts";
import { nginxLimitExceptEmpty } from "./rules/nginx-limit-except-empty.ts";
import { nginxLimitKey } from "./rules/nginx-limit-key.ts";
import { nginxLimitReqBurst } from "./rules/nginx-limit-req-burst.ts";
import { nginxLimitUnused } from "./rules/nginx-limit-unused.ts";
import { nginxLimitZoneSmall } from "./rules/nginx-limit-zone-small.ts";
import { nginxListen } from "./rules/nginx-listen.ts";
import { nginxListenHostname } from "./rules/nginx-listen-hostname.ts";
import { nginxLocationNever } from "./rules/nginx-location-never.ts";
import { nginxLocationUnreachable } from "./rules/nginx-location-unreachable.ts";
import { nginxMimeDuplicate } from "./rules/nginx-mime-duplicate.ts";
import { nginxNamedLocation } from "./rules/nginx-named-location.ts";
import { nginxOriginRegex } from "./rules/nginx-origin-regex.ts";
import { nginxPhpUntested } from "./rules/nginx-php-untested.ts";
import { nginxProxyDefaults } from "./rules/nginx-proxy-defaults.ts";
import { nginxProxyHeaderDropped } from "./rules/nginx-proxy-header-dropped.ts";
import { nginxProxyHostMissing } from "./rules/nginx-proxy-host-missing.ts";
import { nginxProxySlash } from "./rules/nginx-proxy-slash.ts";
import { nginxProxyUriIgnored } from "./rules/nginx-proxy-uri-ignored.ts";
import { nginxRawUriAccess } from "./rules/nginx-raw-uri-access.ts";
import { nginxRealipEveryone } from "./rules/nginx-realip-everyone.ts";
import { nginxRealipVoid } from "./rules/nginx-realip-void.ts";
import { nginxRedirectLoop } from "./rules/nginx-redirect-loop.ts";
import { nginxRegexDot } from "./rules/nginx-regex-dot.ts";
import { nginxRegexGroup } from "./rules/nginx-regex-group.ts";
import { nginxRegexNever } from "./rules/nginx-regex-never.ts";
import { nginxRegexRedos } from "./rules/nginx-regex-redos.ts";
import { nginxRegexUnanchored } from "./rules/nginx-regex-unanchored.ts";
import { nginxResolverMissing } from "./rules/nginx-resolver-missing.ts";
import { nginxResolverPublic } from "./rules/nginx-resolver-public.ts";
import { nginxReturnBypassesAccess } from "./rules/nginx-return-bypasses-access.ts";
import { nginxReturnUnreachable } from "./rules/nginx-return-unreachable.ts";
import { nginxRewriteCycle } from "./rules/nginx-rewrite-cycle.ts";
import { nginxRewriteTarget } from "./rules/nginx-rewrite-target.ts";
import { nginxRootExposed } from "./rules/nginx-root-exposed.ts";
import { nginxRootMissing } from "./rules/nginx-root-missing.ts";
import { nginxRootRepeated } from "./rules/nginx-root-repeated.ts";
import { nginxRootUser } from "./rules/nginx-root-user.ts";
import { nginxServerNameMalformed } from "./rules/nginx-server-name-malformed.ts";
import { nginxServerShadowed } from "./rules/nginx-server-shadowed.ts";
import { nginxSsrf } from "./rules/nginx-ssrf.ts";
import { nginxStaleDns } from "./rules/nginx-stale-dns.ts";
import { nginxStatusExposed } from "./rules/nginx-status-exposed.ts";
import { nginxTimeoutLong } from "./rules/nginx-timeout-long.ts";
import { nginxTlsOld } from "./rules/nginx-tls-old.ts";
import { nginxTryFilesFallback } from "./rules/nginx-try-files-fallback.ts";
import { nginxTypesDropped } from "./rules/nginx-types-dropped.ts";
import { nginxTypesMissing } from "./rules/nginx-types-missing.ts";
import { nginxUnwatched } from "./rules/nginx-unwatched.ts";
import { nginxUpstreamUnused } from "./rules/nginx-upstream-unused.ts";
import { nginxValidReferers } from "./rules/nginx-valid-referers.ts";
import { nginxVersionDisclosure } from "./rules/nginx-version-disclosure.ts";
import { nginxWebsocketHalf } from "./rules/nginx-websocket-half.ts";
import { nginxWorkerConnections } from "./rules/nginx-worker-connections.ts";
import { nopreemptBlocks } from "./rules/nopreempt-blocks.ts";
import { nopreemptVoid } from "./rules/nopreempt-void.ts";
import { peerChannelDiffers } from "./rules/peer-channel-differs.ts";
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
import { serverNamesDiffer } from "./rules/server-names-differ.ts";
import { serverUnchecked } from "./rules/server-unchecked.ts";
import { serversDiffer } from "./rules/servers-differ.ts";
import { sourceAddress } from "./rules/source-address.ts";
import { stateBothMaster } from "./rules/state-both-master.ts";
import { tandemVersionDiffers } from "./rules/tandem-version-differs.ts";
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
  serversDiffer,
  listensDiffer,
  serverNamesDiffer,
  peerChannelDiffers,
  clockSkew,
  configurationStale,
  tandemVersionDiffers,
  serverUnchecked,
  scriptNginxPath,
  scriptRunnable,
  nginxListen,
  nginxFiles,
  nginxDirectives,
  upstreamUnknown,
  nginxMimeDuplicate,
  nginxAliasTraversal,
  nginxRootExposed,
  nginxHttpSplitting,
  nginxSsrf,
  nginxRealipEveryone,
  nginxAuthVoid,
  nginxResolverMissing,
  nginxTryFilesFallback,
  nginxNamedLocation,
  nginxRedirectLoop,
  nginxRewriteCycle,
  nginxAllowWithoutDeny,
  nginxAccessOrder,
  nginxAccessOvertaken,
  nginxReturnBypassesAccess,
  nginxRawUriAccess,
  nginxLimitExceptEmpty,
  nginxStatusExposed,
  nginxValidReferers,
  nginxOriginRegex,
  nginxRealipVoid,
  nginxHostSpoofing,
  nginxHeaderDropped,
  nginxProxyHeaderDropped,
  nginxHeaderMultiline,
  nginxHeaderContentType,
  nginxWebsocketHalf,
  nginxProxySlash,
  nginxProxyUriIgnored,
  nginxAliasRegex,
  nginxRootMissing,
  nginxTypesMissing,
  nginxTypesDropped,
  nginxAutoindex,
  nginxErrorPageLoop,
  nginxIfTrap,
  nginxConditionNever,
  nginxReturnUnreachable,
  nginxRewriteTarget,
  nginxRegexRedos,
  nginxRegexNever,
  nginxRegexGroup,
  nginxRegexUnanchored,
  nginxRegexDot,
  nginxLocationNever,
  nginxLocationUnreachable,
  nginxServerShadowed,
  nginxServerNameMalformed,
  nginxHttpsDowngrade,
  nginxTlsOld,
  nginxLimitReqBurst,
  nginxLimitZoneSmall,
  nginxLimitUnused,
  nginxLimitKey,
  nginxBodyUnlimited,
  nginxCacheCookies,
  nginxCacheKey,
  nginxTimeoutLong,
  nginxWorkerConnections,
  nginxErrorLogOff,
  nginxProxyHostMissing,
  nginxStaleDns,
  nginxResolverPublic,
  nginxUpstreamUnused,
  nginxDefaultServer,
  nginxListenHostname,
  nginxRootRepeated,
  nginxIfHost,
  nginxIfFile,
  nginxLimitConnWeak,
  nginxLimitDryRun,
  nginxPhpUntested,
  nginxVersionDisclosure,
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
  nginxExtension,
];

/** Runs rules; errors first, within a severity in the order of the rules. */
export function runRules(subject: Subject, rules: readonly Rule<Subject>[] = RULES): readonly Finding[] {
  const findings = join(rules.flatMap((rule) => rule.check(subject).map((found) => ({ rule: rule.id, ...found }))));
  const lines = new Map([...subject.texts].map(([file, text]) => [file, text.split("\n")] as const));
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity)).map(
    ({ places, ...finding }) => ({ ...finding, places: distinct(places).map((place) => withText(place, lines)) }),
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

function withText({ file, line, column, isExact }: Place, lines: ReadonlyMap<string, readonly string[]>): Place {
  const text = lines.get(file)?.[line - 1]?.trimEnd();
  return {
    file,
    line,
    ...(column === undefined ? {} : { column }),
    ...(isExact === undefined ? {} : { isExact }),
    ...(text === undefined ? {} : { text }),
  };
}
