/** One checker with its defaults: its own words, else the real server's, else the virtual server's, else keepalived's. */

import { freezeCommand } from "../commands.ts";
import type { ConfigDraft } from "../drafts.ts";
import type { CheckedRegex, CheckedUrl, Checker, CheckerConnection, CheckerTiming } from "./config.ts";
import { saysWhere } from "./connection.ts";
import type {
  CheckerDraft,
  ConnectionDraft,
  HttpCheckerDraft,
  MiscCheckerDraft,
  RealServerDraft,
  SmtpCheckerDraft,
  TimingDraft,
  UdpCheckerDraft,
  UrlDraft,
  VirtualServerDraft,
} from "./drafts.ts";

/** Milliseconds from one check to the next, and until a connection has failed, when nobody says. */
export const DEFAULT_DELAY_MS = 60_000;
export const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_HELO = "smtpchecker.keepalived.org";
const SOA = 6;

/** The completed checkers: several when the old form of SMTP_CHECK names several hosts. */
export function completeChecker(
  draft: CheckerDraft,
  server: RealServerDraft,
  service: VirtualServerDraft,
  config: ConfigDraft,
): readonly Checker[] {
  if (draft.kind === "FILE_CHECK") {
    const file = config.files.find(({ name }) => name === draft.file);
    return [
      Object.freeze({
        kind: draft.kind,
        file: draft.file as string,
        weight: draft.weight ?? file?.weight ?? 1,
        weightReverse: draft.weight === undefined ? (file?.weightReverse ?? false) : (draft.weightReverse ?? false),
      }),
    ];
  }
  if (draft.kind === "BFD_CHECK") {
    const alpha = draft.alpha ?? server.alpha ?? service.alpha ?? false;
    return [Object.freeze({ kind: draft.kind, session: draft.session as string, alpha })];
  }
  const context = { server, service, config };
  if (draft.kind === "MISC_CHECK") return [completeMisc(draft, context)];
  if (draft.kind === "SMTP_CHECK") return completeSmtp(draft, context);
  const connection = connectionOf(draft, context);
  switch (draft.kind) {
    case "TCP_CHECK":
    case "PING_CHECK":
      return [
        Object.freeze({ kind: draft.kind, connection, ...timingOf(draft, context, { delayMs: 1000, retries: 1 }) }),
      ];
    case "HTTP_GET":
    case "SSL_GET":
      return [completeHttp(draft, connection, context)];
    case "DNS_CHECK": {
      const timing = timingOf(draft, context, { delayMs: undefined, retries: 3 });
      return [
        Object.freeze({ kind: draft.kind, connection, ...timing, type: draft.type ?? SOA, name: draft.name ?? "" }),
      ];
    }
    case "UDP_CHECK":
      return [completeUdp(draft, connection, context)];
  }
}

interface Context {
  readonly server: RealServerDraft;
  readonly service: VirtualServerDraft;
  readonly config: ConfigDraft;
}

/** `defaults`: what this kind of checker has when nobody says; a delay undefined is delay_loop. */
function timingOf(
  draft: TimingDraft,
  { server, service, config }: Context,
  defaults: { readonly delayMs: number | undefined; readonly retries: number },
): CheckerTiming {
  const delayLoopMs = draft.delayLoopMs ?? server.delayLoopMs ?? service.delayLoopMs ?? DEFAULT_DELAY_MS;
  return {
    alpha: draft.alpha ?? server.alpha ?? service.alpha ?? false,
    retries: draft.retries ?? server.retries ?? service.retries ?? defaults.retries,
    delayBeforeRetryMs:
      draft.delayBeforeRetryMs ??
      server.delayBeforeRetryMs ??
      service.delayBeforeRetryMs ??
      defaults.delayMs ??
      delayLoopMs,
    warmupMs: draft.warmupMs ?? server.warmupMs ?? service.warmupMs ?? delayLoopMs,
    delayLoopMs,
    logAllFailures: draft.logAllFailures === true || config.globals.checkerLogAllFailures === true,
  };
}

function connectionOf(draft: ConnectionDraft, { server, service }: Context): CheckerConnection {
  const { sourceIp, sourcePort = 0 } = draft;
  return Object.freeze({
    destination: Object.freeze({
      ip: draft.destinationIp ?? server.address.ip,
      port: draft.destinationPort ?? server.address.port,
    }),
    source: sourceIp === undefined && sourcePort === 0 ? undefined : Object.freeze({ ip: sourceIp, port: sourcePort }),
    interface: draft.interface,
    mark: draft.mark ?? 0,
    timeoutMs: draft.connectTimeoutMs ?? server.connectTimeoutMs ?? service.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS,
  });
}

/** keepalived's order of whom to believe about the host. */
function hostsOf(draft: HttpCheckerDraft, { server, service }: Context) {
  const host = draft.virtualhost ?? server.virtualhost ?? service.virtualhost;
  // The name in TLS is not asked of the real server.
  const nameOf = (url: UrlDraft): string | undefined =>
    draft.sni === true ? (draft.sniName ?? url.virtualhost ?? draft.virtualhost ?? service.virtualhost) : undefined;
  return { host, names: Object.freeze(draft.urls.map(nameOf)) };
}

function completeHttp(draft: HttpCheckerDraft, connection: CheckerConnection, context: Context): Checker {
  const { host, names } = hostsOf(draft, context);
  return Object.freeze({
    kind: draft.kind,
    connection,
    ...timingOf(draft, context, { delayMs: 3000, retries: 1 }),
    protocol: draft.protocol ?? "1.0",
    urls: Object.freeze(draft.urls.map(completeUrl)),
    virtualHost: host,
    serverNames: names,
    saysGoodbye: Object.freeze(draft.urls.map((url) => (draft.tlsCompliant ?? false) || (url.tlsCompliant ?? false))),
    fastRecovery: draft.fastRecovery ?? false,
  });
}

function completeUrl(url: UrlDraft): CheckedUrl {
  return Object.freeze({
    path: url.path as string,
    digest: url.digest,
    statusCodes: Object.freeze(url.statusCodes.length === 0 ? [[200, 299] as const] : [...url.statusCodes]),
    virtualHost: url.virtualhost,
    regex: completeRegex(url),
  });
}

function completeRegex(url: UrlDraft): CheckedRegex | undefined {
  if (url.pattern === undefined) return undefined;
  const { regexMinOffset = 0, regexMaxOffset = 0 } = url;
  return Object.freeze({
    pattern: url.pattern,
    options: Object.freeze([...new Set(url.regexOptions)]),
    mustNotMatch: url.regexNoMatch ?? false,
    minOffset: regexMinOffset,
    // It is written down as one more than it is.
    maxOffset: regexMaxOffset === 0 ? undefined : regexMaxOffset - 1,
  });
}

function completeUdp(draft: UdpCheckerDraft, connection: CheckerConnection, context: Context): Checker {
  const none = new Uint8Array(0);
  const { bytes, mask } = draft.reply ?? { bytes: none, mask: none };
  const { minReplyBytes = 0, maxReplyBytes = 255 } = draft;
  return Object.freeze({
    kind: draft.kind,
    connection,
    ...timingOf(draft, context, { delayMs: 1000, retries: 1 }),
    payload: draft.payload,
    reply:
      draft.requireReply === true
        ? Object.freeze({ bytes, mask, minBytes: minReplyBytes, maxBytes: maxReplyBytes })
        : undefined,
  });
}

function completeMisc(draft: MiscCheckerDraft, context: Context): Checker {
  const command = draft.command as NonNullable<typeof draft.command>;
  return Object.freeze({
    kind: draft.kind,
    ...timingOf(draft, context, { delayMs: 1000, retries: 0 }),
    command: freezeCommand({ ...command, user: draft.user }),
    // 0 is as good as nothing.
    timeoutMs: draft.timeoutMs || (context.service.delayLoopMs ?? DEFAULT_DELAY_MS),
    dynamic: draft.dynamic ?? false,
  });
}

/** `host` blocks stand for checkers of their own; the checker itself is one of them unless it says nothing about a connection. */
function completeSmtp(draft: SmtpCheckerDraft, context: Context): readonly Checker[] {
  const connections = draft.hosts.map((host) => connectionOf(host, context));
  if (saysWhere(draft) || connections.length === 0) connections.unshift(connectionOf(draft, context));
  const timing = timingOf(draft, context, { delayMs: 1000, retries: 1 });
  const heloName = draft.heloName ?? DEFAULT_HELO;
  return connections.map((connection) => Object.freeze({ kind: draft.kind, connection, ...timing, heloName }));
}
