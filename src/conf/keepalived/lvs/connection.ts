/** What checkers have in common: where they connect to and from, and when. keepalived: check_api.c. */
import { type IpAddress, printIp } from "../../../base/ip.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { keyword, number, slotsOf } from "../slots.ts";
import { readServerAddress } from "./addresses.ts";
import type { ConnectingCheckerDraft, ConnectionDraft, RealServerDraft, TimingDraft } from "./drafts.ts";
import { MAX_TIMEOUT_S, MAX_U32, timer, toggle } from "./slots.ts";

type TimedDraft = Draft & TimingDraft;
type CommonDraft = TimedDraft & ConnectionDraft;

const timing = slotsOf<TimedDraft>();
/** Checkers of one real server. */
export const MAX_CHECKERS = 64;
/** IFNAMSIZ without its zero. */
const MAX_INTERFACE_NAME = 15;

/** When a checker runs. */
export const timingKeywords: Keywords<TimedDraft> = {
  retry: timing.integer("retries", {
    min: 0,
    max: MAX_U32,
    default: "the real server's, else 1; DNS_CHECK 3, MISC_CHECK 0",
    doc: "How often a failed check is tried again before the real server is down.",
    invalid: (word) => `Invalid retry connection value '${word}'`,
  }),
  delay_before_retry: timer<TimedDraft>("delayBeforeRetryMs", {
    minUs: 0,
    default: "the real server's, else 1; HTTP_GET and SSL_GET 3, DNS_CHECK delay_loop",
    doc: "Seconds until a failed check is tried again.",
    invalid: (word) => `Invalid delay_before_retry connection value '${word}'`,
  }),
  warmup: timer<TimedDraft>("warmupMs", {
    minUs: 0,
    default: "the real server's, else delay_loop",
    doc: "The first check comes after a random part of these seconds.",
    invalid: (word) => `Invalid warmup connection value '${word}'`,
  }),
  delay_loop: timer<TimedDraft>("delayLoopMs", {
    minUs: 1,
    default: "the real server's",
    doc: "Seconds from one check to the next.",
    invalid: (word) => `delay_loop '${word}' is invalid - ignoring`,
  }),
  alpha: toggle<TimedDraft>("alpha", {
    default: "the real server's",
    doc: "The real server is down until this has succeeded.",
    invalid: (word) => `Invalid alpha parameter ${word}`,
  }),
  log_all_failures: toggle<TimedDraft>("logAllFailures", {
    default: "checker_log_all_failures",
    doc: "Failures that are tried again are logged, too.",
    invalid: (word) => `Invalid log_all_failures parameter ${word}`,
  }),
};

function addressKeyword(
  key: "destinationIp" | "sourceIp",
  name: "connect_ip" | "bindto",
  doc: string,
): Keyword<CommonDraft> {
  const other = key === "sourceIp" ? "destinationIp" : "sourceIp";
  return keyword({ syntax: "ADDRESS", doc }, (draft, line, scope) => {
    const word = scope.word(line, 1);
    if (word === undefined) return;
    const warn = (message: string): void => scope.report("warn", message, line.position);
    const address = readServerAddress(word, undefined, warn);
    const rival = draft[other] ?? (key === "sourceIp" ? realServerIp(draft) : undefined);
    const isMatch = address === undefined || rival === undefined || rival.length === address.ip.length;
    const foreign = name === "bindto" ? "connect_ip" : "bindto";
    if (address === undefined) warn(`Invalid ${name} address ${word} - ignoring`);
    else if (!isMatch) warn(`${name} address ${word} does not match address family of ${foreign} - skipping`);
    // What is refused takes an earlier address away, too.
    draft[key] = isMatch ? address?.ip : undefined;
    if (key === "destinationIp") draft.isDestinationBad = draft.destinationIp === undefined;
  });
}

/** A checker connects to its real server, unless it says otherwise; SMTP_CHECK looks for it at the end only. */
function realServerIp(draft: CommonDraft): IpAddress | undefined {
  const { realServer, kind } = draft as CommonDraft & Partial<Pick<ConnectingCheckerDraft, "realServer" | "kind">>;
  return kind === "SMTP_CHECK" || draft.isDestinationBad === true ? undefined : realServer?.address.ip;
}

function portKeyword(key: "destinationPort" | "sourcePort", name: string, doc: string): Keyword<CommonDraft> {
  return keyword({ syntax: "1…65535", doc }, (draft, line, scope) => {
    const invalid = (word: string): string => `Invalid checker ${name} '${word}'`;
    const value = number(line, scope, { min: 1, max: 65535, invalid }, draft);
    if (value !== undefined) draft[key] = value;
  });
}

/** Where a checker connects, and when it runs. */
export const commonKeywords: Keywords<CommonDraft> = {
  connect_ip: addressKeyword("destinationIp", "connect_ip", "Address to check instead of the real server's."),
  connect_port: portKeyword("destinationPort", "connect_port", "Port to check instead of the real server's."),
  bindto: addressKeyword("sourceIp", "bindto", "Address to check from."),
  bind_port: portKeyword("sourcePort", "bind_port", "Port to check from."),
  bind_if: keyword({ syntax: "INTERFACE", doc: "Interface to check through." }, (draft, line, scope) => {
    const name = scope.word(line, 1);
    if (name === undefined) return;
    if (name.length > MAX_INTERFACE_NAME)
      scope.report("warn", `Interface name ${name} is too long - ignoring`, line.position);
    else draft.interface = name;
  }),
  connect_timeout: timer<CommonDraft>("connectTimeoutMs", {
    minUs: 1,
    maxS: MAX_TIMEOUT_S,
    default: "the real server's",
    doc: "Seconds until a connection, or a wait for an answer, has failed.",
    invalid: (word) => `connect_timeout ${word} invalid - ignoring`,
  }),
  fwmark: keyword({ syntax: `0…${MAX_U32}`, doc: "Mark of the packets that are sent." }, readMark),
  ...(timingKeywords as Keywords<Draft>),
};

function readMark(draft: CommonDraft, line: Line, scope: Interpreter): void {
  const invalid = (word: string): string => `Invalid fwmark connection value '${word}'`;
  const value = number(line, scope, { min: 0, max: MAX_U32, invalid }, draft);
  if (value !== undefined) draft.mark = value;
}

/** Whether anything of a connection is written. */
export function saysWhere(draft: ConnectionDraft): boolean {
  const { destinationIp, destinationPort, sourceIp, sourcePort, mark = 0, connectTimeoutMs } = draft;
  const isSaid = (value: unknown): boolean => value !== undefined;
  return (
    [destinationIp, destinationPort, sourceIp, sourcePort, draft.interface, connectTimeoutMs].some(isSaid) || mark !== 0
  );
}

/** False, and said, when an address that is only known on its link has no interface. */
export function hasInterface(
  { destinationIp, isDestinationBad, interface: device }: ConnectionDraft,
  realServer: IpAddress,
  warn: (message: string) => void,
): boolean {
  const ip = destinationIp ?? realServer;
  const isLinkLocal = ip.length === 16 && ip[0] === 0xfe && ((ip[1] as number) & 0xc0) === 0x80;
  if (!isLinkLocal || device !== undefined || isDestinationBad === true) return true;
  warn(`Checker link local address ${printIp(ip)} requires a bind_if`);
  return false;
}

/** A checker is a checker of its real server, unless something makes it impossible. */
export function addChecker(
  realServer: RealServerDraft,
  checker: RealServerDraft["checkers"][number],
  scope: Interpreter,
): void {
  if (realServer.checkers.length < MAX_CHECKERS) realServer.checkers.push(checker);
  else scope.report("error", `a real server has more than ${MAX_CHECKERS} checkers`, checker.at);
}
