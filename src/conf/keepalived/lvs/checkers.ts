/** Checkers of a `real_server`, except HTTP_GET and SSL_GET. keepalived: check_api.c and a check_*.c each. */
import type { Position } from "../../diagnostics.ts";
import { readCommand, readUser } from "../commands.ts";
import type { ConfigDraft } from "../drafts.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import type { Machine } from "../machine.ts";
import { readInteger } from "../numbers.ts";
import { keyword, number, slotsOf } from "../slots.ts";
import { bfdChecker } from "./bfd-check.ts";
import { addChecker, commonKeywords, hasInterface, saysWhere, timingKeywords } from "./connection.ts";
import type {
  ConnectingCheckerDraft,
  DnsCheckerDraft,
  FileCheckerDraft,
  HostDraft,
  MiscCheckerDraft,
  PlainCheckerDraft,
  RealServerDraft,
  SmtpCheckerDraft,
  UdpCheckerDraft,
} from "./drafts.ts";
import { readHexPattern } from "./hex.ts";
import { httpChecker } from "./http-get.ts";
import { MAX_WEIGHT, text } from "./slots.ts";

/** What checkers need to know of the rest of the file, and of the node. */
export interface CheckerContext {
  readonly config: ConfigDraft;
  readonly machine: Machine | undefined;
}

export const DNS_TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  RRSIG: 46,
  DNSKEY: 48,
};
const MAX_U16 = 0xffff;
/** Seconds that fit keepalived's microseconds in 32 bits. */
const MAX_SCRIPT_S = 4294;

/** A block whose checker connects; `end` has the last word. */
function connecting<D extends ConnectingCheckerDraft>(
  about: { readonly doc: string },
  table: Keywords<D>,
  make: (realServer: RealServerDraft, at: Position) => D,
  end: (draft: D, warn: (message: string) => void) => void = () => {},
): Keyword<RealServerDraft> {
  const keywords: Keywords<D> = { ...(commonKeywords as Keywords<Draft>), ...table };
  return keyword(
    { syntax: "{ … }", doc: about.doc },
    (realServer, line, scope) => {
      const draft = make(realServer, line.position);
      const closed = scope.block(keywords, draft);
      const warn = (message: string): void => scope.report("warn", message, closed);
      if (isReachable(draft, warn)) {
        end(draft, warn);
        addChecker(realServer, draft, scope);
      }
    },
    keywords as Keywords<never>,
  );
}

/** SMTP_CHECK takes its real server's address for one that was refused, and has none itself when its hosts are all that it has. */
function isReachable(draft: ConnectingCheckerDraft, warn: (message: string) => void): boolean {
  const { ip } = draft.realServer.address;
  if (draft.kind !== "SMTP_CHECK") return hasInterface(draft, ip, warn);
  return (draft.hosts.length > 0 && !saysWhere(draft)) || hasInterface({ ...draft, isDestinationBad: false }, ip, warn);
}

function plain(kind: PlainCheckerDraft["kind"], doc: string): Keyword<RealServerDraft> {
  return connecting<PlainCheckerDraft>({ doc }, {}, (realServer, at) => ({ kind, at, where: new Map(), realServer }));
}

const smtpKeywords: Keywords<SmtpCheckerDraft> = {
  helo_name: text<SmtpCheckerDraft>("heloName", {
    default: "smtpchecker.keepalived.org",
    doc: "Name for HELO.",
    missing: "SMTP_CHECK helo name missing",
  }),
  host: keyword(
    { syntax: "{ … }", doc: "Old form of one more checker, to another address." },
    (draft, _line, scope) => {
      const host: HostDraft = { where: new Map(), realServer: draft.realServer };
      const end = scope.block(commonKeywords, host);
      if (hasInterface(host, draft.realServer.address.ip, (message) => scope.report("warn", message, end)))
        draft.hosts.push(host);
    },
    commonKeywords as Keywords<never>,
  ),
};

const dnsKeywords: Keywords<DnsCheckerDraft> = {
  type: keyword(
    { syntax: Object.keys(DNS_TYPES).join("|"), default: "SOA", doc: "Type of the record that is asked for." },
    (draft, line, scope) => {
      const word = scope.word(line, 1);
      if (word === undefined) return;
      const type = DNS_TYPES[word.toUpperCase()];
      if (type === undefined) scope.report("warn", `Unknown DNS check type ${word} - ignoring`, line.position);
      else draft.type = type;
    },
  ),
  name: keyword({ syntax: "NAME", default: ".", doc: "Name that is asked for." }, (draft, line, scope) => {
    const warn = (message: string): void => scope.report("warn", message, line.position);
    if (draft.name !== undefined) return warn("DNS_CHECK name already specified - ignoring");
    const name = scope.word(line, 1);
    if (name === undefined) return;
    // keepalived takes a point behind the first letter for an empty label, too.
    if ((name.startsWith(".") && name !== ".") || name[1] === "." || name.includes(".."))
      return warn(`DNS_CHECK name '${name}' has empty label - ignoring`);
    if (name.length > 253 || name.split(".").some((label) => label.length > 63))
      scope.report("error", `DNS_CHECK name '${name}' is longer than a name can be`, line.position);
    draft.name = name;
  }),
};

const udpKeywords: Keywords<UdpCheckerDraft> = {
  payload: keyword({ syntax: "HEX…", doc: "What is sent." }, (draft, line, scope) => {
    if (line.words.length < 2) {
      scope.report("warn", "UDP_CHECK payload requires a payload", line.position);
      return;
    }
    const pattern = readHexPattern(line.words.slice(1).join(" "), false);
    if (pattern === undefined) scope.report("warn", "Invalid hex string for UDP_CHECK payload", line.position);
    else draft.payload = pattern.bytes;
  }),
  require_reply: keyword(
    { syntax: "[HEX…]", doc: "An answer must come, and begin so; an X stands for any four bits." },
    (draft, line, scope) => {
      draft.requireReply = true;
      if (line.words.length < 2) return;
      const pattern = readHexPattern(line.words.slice(1).join(" "), true);
      if (pattern === undefined) scope.report("warn", "Invalid hex string for UDP_CHECK reply", line.position);
      else draft.reply = pattern;
    },
  ),
  min_reply_length: replyLength("minReplyBytes", "min", "0", "Bytes that an answer must have."),
  max_reply_length: replyLength("maxReplyBytes", "max", "255", "Bytes that an answer may have."),
};

function replyLength(
  key: "minReplyBytes" | "maxReplyBytes",
  which: "min" | "max",
  fallback: string,
  doc: string,
): Keyword<UdpCheckerDraft> {
  return slotsOf<UdpCheckerDraft>().integer(key, {
    min: 0,
    max: MAX_U16,
    default: fallback,
    doc,
    invalid: (word) => `UDP_CHECK ${which} length ${word} not valid - must be between 0 & ${MAX_U16}`,
  });
}

function endUdp({ minReplyBytes = 0, maxReplyBytes = 255 }: UdpCheckerDraft, warn: (message: string) => void): void {
  if (minReplyBytes > maxReplyBytes)
    warn(`UDP_CHECK min_reply length ${minReplyBytes} > max_reply_length ${maxReplyBytes} - will always fail`);
}

/** A command with its arguments, as keepalived writes it down. */
export function printCommand(argv: readonly string[]): string {
  return argv.map((word) => `'${word}'`).join(" ");
}

function miscKeywords(machine: Machine | undefined): Keywords<MiscCheckerDraft> {
  return {
    ...(timingKeywords as Keywords<Draft>),
    misc_path: keyword(
      { syntax: '"PROGRAM ARGUMENT…"', doc: "Program that is run; exit status 0 is success." },
      (draft, line, scope) => {
        const found = readCommand(line, scope);
        if (found !== undefined) draft.command = found;
      },
    ),
    misc_timeout: keyword(
      { syntax: `0…${MAX_SCRIPT_S}`, default: "delay_loop of the virtual server", doc: "Seconds that it may take." },
      (draft, line, scope) => {
        if (draft.isRemoved === true) return;
        const invalid = (word: string): string => `Invalid misc_timeout value '${word}'`;
        const value = number(line, scope, { min: 0, max: MAX_SCRIPT_S, invalid }, draft);
        if (value !== undefined) draft.timeoutMs = value * 1000;
      },
    ),
    misc_dynamic: slotsOf<MiscCheckerDraft>().flag("dynamic", {
      doc: "An exit status from 2 to 255 is the weight of the server plus 2.",
    }),
    user: keyword({ syntax: "USER [GROUP]", default: "script_user", doc: "Who it runs as." }, (draft, line, scope) => {
      if (draft.isRemoved === true) return;
      const subject = `misc checker script ${printCommand(draft.command?.argv ?? [])}`;
      const user = readUser(line.words.slice(1));
      if (user === undefined) {
        scope.report("warn", `No user specified for ${subject}`, line.position);
        return;
      }
      const isKnown = machine === undefined || machine.hasUser(user.user);
      if (isKnown && (user.group === undefined || machine === undefined || machine.hasGroup(user.group))) {
        draft.user = user;
        return;
      }
      scope.report("warn", `Failed to set uid/gid for ${subject} - removing`, line.position);
      draft.isRemoved = true;
    }),
  };
}

function readMisc(
  realServer: RealServerDraft,
  line: Line,
  scope: Interpreter,
  table: Keywords<MiscCheckerDraft>,
): void {
  const draft: MiscCheckerDraft = {
    kind: "MISC_CHECK",
    at: line.position,
    end: line.position,
    where: new Map(),
    realServer,
  };
  draft.end = scope.block(table, draft);
  if (draft.isRemoved === true) return;
  if (draft.command === undefined)
    scope.report("warn", "No script path has been specified for MISC_CHECKER - skipping", draft.end);
  else addChecker(realServer, draft, scope);
}

function fileKeywords({ config }: CheckerContext): Keywords<FileCheckerDraft> {
  return {
    track_file: keyword({ syntax: "NAME", doc: "Name of a track_file." }, (draft, line, scope) => {
      const name = scope.word(line, 1);
      if (name === undefined) return;
      if (config.files.some((file) => file.name === name)) draft.file = name;
      else scope.report("warn", `track_file ${name} not found`, line.position);
    }),
    weight: keyword(
      {
        syntax: `-${MAX_WEIGHT}…${MAX_WEIGHT} [reverse|noreverse]`,
        default: "the track_file's",
        doc: "The number in the file times this is added to the weight; 0: a number other than 0 is a failure.",
      },
      readFileWeight,
    ),
  };
}

function readFileWeight(draft: FileCheckerDraft, line: Line, scope: Interpreter): void {
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const [, word, option] = line.words;
  if (word === undefined) {
    warn("track file weight missing");
    return;
  }
  const read = readInteger(word, -MAX_WEIGHT, MAX_WEIGHT);
  if (!read.ok) {
    warn(read.reason);
    warn(`weight for track file must be in [-${MAX_WEIGHT}..${MAX_WEIGHT}] inclusive. Ignoring...`);
    return;
  }
  if (option !== undefined && option !== "reverse" && option !== "noreverse") {
    warn(`unknown track file weight option ${option} - ignoring`);
    return;
  }
  draft.weight = read.value;
  draft.weightReverse = option === "reverse";
}

function fileChecker(context: CheckerContext): Keyword<RealServerDraft> {
  const table = fileKeywords(context);
  return keyword(
    { syntax: "{ … }", doc: "A number in a file says whether the server is up, or changes its weight." },
    (realServer, line, scope) => {
      const draft: FileCheckerDraft = { kind: "FILE_CHECK", at: line.position, where: new Map() };
      const end = scope.block(table, draft);
      if (draft.file !== undefined) addChecker(realServer, draft, scope);
      else scope.report("warn", "FILE_CHECK has no track_file specified - ignoring", end);
    },
    table as Keywords<never>,
  );
}

/** Every checker by its keyword. */
export function checkerKeywords(context: CheckerContext): Keywords<RealServerDraft> {
  const misc = miscKeywords(context.machine);
  const base = (realServer: RealServerDraft, at: Position) => ({ at, where: new Map(), realServer });
  return {
    TCP_CHECK: plain("TCP_CHECK", "A connection is enough."),
    PING_CHECK: plain("PING_CHECK", "An echo of ICMP must come back."),
    HTTP_GET: httpChecker("HTTP_GET", "Pages must be answered as expected."),
    SSL_GET: httpChecker("SSL_GET", "As HTTP_GET, over TLS."),
    SMTP_CHECK: connecting<SmtpCheckerDraft>(
      { doc: "A mail server must greet, and answer HELO." },
      smtpKeywords,
      (realServer, at) => ({ kind: "SMTP_CHECK", ...base(realServer, at), hosts: [] }),
    ),
    DNS_CHECK: connecting<DnsCheckerDraft>(
      { doc: "A name server must answer without error." },
      dnsKeywords,
      (realServer, at) => ({ kind: "DNS_CHECK", ...base(realServer, at) }),
    ),
    UDP_CHECK: connecting<UdpCheckerDraft>(
      { doc: "A datagram must be answered, or at least not be refused." },
      udpKeywords,
      (realServer, at) => ({ kind: "UDP_CHECK", ...base(realServer, at) }),
      endUdp,
    ),
    MISC_CHECK: keyword(
      { syntax: "{ … }", doc: "A program says how the server is." },
      (realServer, line, scope) => readMisc(realServer, line, scope, misc),
      misc as Keywords<never>,
    ),
    FILE_CHECK: fileChecker(context),
    BFD_CHECK: bfdChecker(context.config),
  };
}
