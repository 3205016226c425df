/** What keepalived's checker process writes on SIGUSR1, `/tmp/keepalived_check.data`, in its format. Pure. keepalived: check_data.c. */
import { printIp } from "../base/ip.ts";
import type { Command, KeepalivedConfig } from "../conf/keepalived/config.ts";
import { DNS_TYPES } from "../conf/keepalived/lvs/checkers.ts";
import type {
  Checker,
  CheckingDefaults,
  ForwardingMethod,
  HttpChecker,
  RealServer,
  ServerAddress,
  ServerGroup,
  VirtualServer,
} from "../conf/keepalived/lvs/config.ts";
import type { CheckerReport, LvsReport, RealServerReport, VirtualServerReport } from "../lvs/report.ts";
import { globalLines, printCtime, seconds } from "./keepalived-dumps.ts";

/** What else has to be known. */
export interface CheckDumpFacts {
  /** `uid:gid` of whoever runs a command. */
  account(command: Command): string;
  /** The number in a track_file. */
  fileValue(name: string): number | undefined;
}

/** What keepalived says of times that a BFD_CHECK has not. */
const NO_TIME = "18446744073709551615 us";
const NO_COUNT = "4294967295";
const ALL_BITS = 0xffff_ffff;

export function printCheckData(config: KeepalivedConfig, report: LvsReport, facts: CheckDumpFacts): string {
  const { virtualServers, serverGroups } = config;
  const lines = [...globalLines(config), "------< LVS Topology >------"];
  for (const group of serverGroups) lines.push(...groupLines(group, virtualServers));
  const pairs = virtualServers.flatMap((server) => {
    const found = report.virtualServers.find(({ name }) => name === server.name);
    return found === undefined ? [] : [{ server, found }];
  });
  for (const { server, found } of pairs) lines.push(...serviceLines(server, found, facts));
  lines.push("------< Health checkers >------");
  for (const { server, found } of pairs)
    server.realServers.forEach((real, index) => {
      const state = found.servers[index];
      if (state === undefined) return;
      real.checkers.forEach((checker, at) => {
        const one = state.checkers[at];
        if (one !== undefined) lines.push(...checkerLines(server, real, checker, one, facts));
      });
    });
  lines.push(...trackLines(config, facts));
  return `${lines.join("\n")}\n`;
}

function groupLines({ name, ranges, marks }: ServerGroup, services: readonly VirtualServer[]): string[] {
  const users = services.filter(({ kind, name: own }) => kind === "group" && own.startsWith(`[${name}]:`));
  const count = (protocol: string): number => users.filter((server) => server.protocol === protocol).length;
  const yes = (family: 4 | 6): string => {
    const isThere = ranges.some(({ ip }) => ip.length === (family === 4 ? 4 : 16));
    return isThere || marks.some((mark) => (mark.family ?? 4) === family) ? "yes" : "no";
  };
  const alive = `     Alive: ${count("tcp")} tcp, ${count("udp")} udp, ${count("sctp")} sctp`;
  return [
    " ------< Virtual server group >------",
    ` Virtual Server Group = ${name}, IPv4 = ${yes(4)}, IPv6 = ${yes(6)}`,
    ...ranges.flatMap(({ ip, end, port }) => {
      const [first, last] = [printIp(ip), printIp(end)];
      const what = first === last ? `VIP = ${first}` : `VIP Range = ${first}-${last}`;
      return [`   ${what}, VPORT = ${port}`, alive, "     reloaded = False"];
    }),
    ...marks.flatMap(({ mark, family }) => {
      const used = (wanted: 4 | 6): number => ((family ?? 4) === wanted ? users.length : 0);
      const head = `   FWMARK = ${mark}${family === 6 ? " IPv6" : ""}`;
      return [head, `     Alive: ${used(4)} IPv4, ${used(6)} IPv6`, "     reloaded = False"];
    }),
  ];
}

function onOff(isOn: boolean): string {
  return isOn ? "ON" : "OFF";
}

function able(isOn: boolean): string {
  return isOn ? "enabled" : "disabled";
}

function yesNo(isSo: boolean): string {
  return isSo ? "yes" : "no";
}

function optional(text: string, value: unknown): string[] {
  return value === undefined ? [] : [text];
}

function printForwarding({ method, tunnel }: ForwardingMethod): string {
  if (method !== "TUN") return `forwarding method = ${method}`;
  const checksum = { nocsum: "no checksum", csum: "checksum", remcsum: "remote checksum" }[tunnel.checksum];
  const port = tunnel.type === "gue" ? `, port = ${tunnel.port}` : "";
  const tail = tunnel.type === "ipip" ? "" : `, ${checksum}`;
  return `forwarding method = TUN, type = ${tunnel.type.toUpperCase()}${port}${tail}`;
}

function printScript(command: Command, facts: CheckDumpFacts): string {
  return `${command.argv.map((word) => `'${word}'`).join(" ")}, uid:gid ${facts.account(command)}`;
}

function schedulerLines({ scheduler, flags, protocol }: VirtualServer): string[] {
  const isHash = scheduler === "sh" || scheduler === "mh";
  const one = flags.onePacket ? `enabled${protocol === "udp" ? "" : " (inactive due to not UDP)"}` : "disabled";
  return [
    `   lvs_sched = ${scheduler}`,
    "   Hashed = disabled",
    ...(isHash
      ? [`   ${scheduler}-port = ${able(flags.second)}`, `   ${scheduler}-fallback = ${able(flags.first)}`]
      : [flags.first, flags.second, flags.third].map((flag, index) => `   flag-${index + 1} = ${able(flag)}`)),
    `   One packet scheduling = ${one}`,
  ];
}

function persistenceLines({ persistence, family }: VirtualServer): string[] {
  if (persistence === undefined) return [];
  const { timeoutS, granularity, engine } = persistence;
  const isWhole = granularity === (family === 6 ? 128 : ALL_BITS);
  const mask = family === 6 ? `${granularity}` : [24, 16, 8, 0].map((bits) => (granularity >>> bits) & 0xff).join(".");
  return [
    ...optional(`   persistence engine = ${engine}`, engine),
    `   persistence timeout = ${timeoutS}`,
    ...(isWhole ? [] : [`   persistence granularity = ${mask}`]),
  ];
}

function retryLines({ retries, delayBeforeRetryMs, warmupMs }: CheckingDefaults): string[] {
  return [
    ...optional(`   Retry count = ${retries}`, retries),
    ...optional(`   Retry delay = ${seconds(delayBeforeRetryMs ?? 0)}`, delayBeforeRetryMs),
    ...optional(`   Warmup = ${seconds(warmupMs ?? 0)}`, warmupMs),
  ];
}

function headOf({ kind, match, name }: VirtualServer): string {
  const [range] = match.ranges;
  const [mark] = match.marks;
  if (kind === "group" || range === undefined)
    return kind === "group" ? ` VS GROUP = ${name}` : ` VS FWMARK = ${mark?.mark ?? 0}`;
  return ` VS VIP = ${printIp(range.ip)}, VPORT = ${range.port}`;
}

function sorryLines({ sorryServer: sorry }: VirtualServer): string[] {
  if (sorry === undefined) return [];
  return [
    `   sorry server = ${sorry.name}`,
    `     ${printForwarding(sorry.forwarding)}`,
    `     Inhibit on failure is ${onOff(sorry.inhibit)}`,
  ];
}

function serviceLines(server: VirtualServer, found: VirtualServerReport, facts: CheckDumpFacts): string[] {
  const { checking, quorumUp, quorumDown, forwarding } = server;
  const { virtualhost, snmpName } = checking;
  return [
    " ------< Virtual server >------",
    headOf(server),
    ...optional(`   VirtualHost = ${virtualhost}`, virtualhost),
    ...optional(`   SNMP name = '${snmpName}'`, snmpName),
    `   Address family = inet${server.family === 6 ? "6" : ""}`,
    `   connection timeout = ${seconds(checking.connectTimeoutMs)}`,
    `   delay_loop = ${seconds(checking.delayLoopMs)}`,
    ...schedulerLines(server),
    ...persistenceLines(server),
    `   protocol = ${server.protocol?.toUpperCase() ?? "none"}`,
    `   alpha is ${onOff(checking.alpha)}`,
    `   omega is ${onOff(server.omega)}`,
    ...retryLines(checking),
    `   Inhibit on failure is ${onOff(server.inhibitOnFailure)}`,
    `   quorum = ${server.quorum}, hysteresis = ${server.hysteresis}`,
    ...(quorumUp === undefined ? [] : [`   Quorum up notify script = ${printScript(quorumUp, facts)}`]),
    ...(quorumDown === undefined ? [] : [`   Quorum down notify script = ${printScript(quorumDown, facts)}`]),
    ...(server.haSuspend ? ["   Using HA suspend"] : []),
    `   Using smtp notification = ${yesNo(server.smtpAlert)}`,
    `   ${forwarding.method === "TUN" ? "" : "default "}${printForwarding(forwarding)}`,
    ...sorryLines(server),
    "   alive = 1",
    `   quorum_state_up = ${found.hasQuorum ? 1 : 0}`,
    "   reloaded = 0",
    ...server.realServers.flatMap((real, index) => {
      const state = found.servers[index];
      return state === undefined ? [] : realServerLines(real, state, facts);
    }),
  ];
}

function realServerLines(real: RealServer, state: RealServerReport, facts: CheckDumpFacts): string[] {
  const { checking, notifyUp, notifyDown, weight } = real;
  const { virtualhost, snmpName } = checking;
  const files = real.checkers.filter((checker) => checker.kind === "FILE_CHECK");
  const sessions = real.checkers.filter((checker) => checker.kind === "BFD_CHECK");
  return [
    "   ------< Real server >------",
    `   RIP = ${printIp(real.address.ip)}, RPORT = ${real.address.port}, WEIGHT = ${weight} EFF WEIGHT = ${state.weight}`,
    `   ${printForwarding(real.forwarding)}`,
    `   Alpha is ${onOff(checking.alpha)}`,
    `   connection timeout = ${seconds(checking.connectTimeoutMs)}`,
    `   connection limit range = ${real.lowerThreshold} -> ${real.upperThreshold}`,
    `   Delay loop = ${seconds(checking.delayLoopMs)}`,
    ...retryLines(checking),
    `   Inhibit on failure is ${onOff(real.inhibitOnFailure)}`,
    ...(notifyUp === undefined ? [] : [`     RS up notify script = ${printScript(notifyUp, facts)}`]),
    ...(notifyDown === undefined ? [] : [`     RS down notify script = ${printScript(notifyDown, facts)}`]),
    ...optional(`    VirtualHost = '${virtualhost}'`, virtualhost),
    ...optional(`   SNMP name = ${snmpName}`, snmpName),
    `   Using smtp notification = ${yesNo(real.smtpAlert)}`,
    `   initial weight = ${weight}`,
    `   effective weight = ${state.weight}`,
    "   previous effective_weight = 0",
    `   alive = ${state.isAlive ? 1 : 0}`,
    `   num failed checkers = ${state.failed}`,
    `   RS set = ${state.isSet ? 1 : 0}`,
    "   reloaded = 0",
    ...(files.length === 0 ? [] : ["   Tracked Files", ...files.map((file) => `     ${file.file}, ${weightOf(file)}`)]),
    ...(sessions.length === 0 ? [] : ["   Tracked BFDs", ...sessions.map(({ session }) => `     ${session}`)]),
  ];
}

function weightOf({ weight, weightReverse }: { readonly weight: number; readonly weightReverse: boolean }): string {
  return `weight ${weight}${weightReverse ? " reverse" : ""}`;
}

function microseconds(ms: number): string {
  return `${Math.round(ms * 1000)} us`;
}

/** Milliseconds that keepalived gives each kind before anybody says anything. */
function standardDelayMs({ kind }: Checker): number {
  if (kind === "HTTP_GET" || kind === "SSL_GET") return 3000;
  return kind === "DNS_CHECK" ? 0 : 1000;
}

function timingLines(checker: Checker, { tries, hasRun }: CheckerReport): string[] {
  if (checker.kind === "FILE_CHECK") return [];
  const isTold = checker.kind === "BFD_CHECK";
  const time = (ms: number | undefined): string => (ms === undefined ? NO_TIME : microseconds(ms));
  const { delayLoopMs, warmupMs, delayBeforeRetryMs, retries } = isTold
    ? { delayLoopMs: undefined, warmupMs: undefined, delayBeforeRetryMs: undefined, retries: undefined }
    : checker;
  // keepalived's SMTP_CHECK begins like all others, and counts anew with its first round.
  const forgiven = !isTold && checker.kind === "SMTP_CHECK" && !hasRun ? checker.retries : tries;
  return [
    `   Alpha = ${yesNo(checker.alpha)}`,
    `   Delay loop = ${time(delayLoopMs)}`,
    `   Warmup = ${time(warmupMs)}`,
    `   Retries = ${retries ?? NO_COUNT}`,
    `   Delay before retry = ${time(delayBeforeRetryMs)}`,
    `   Retries iterations = ${isTold ? NO_COUNT : forgiven}`,
    `   Default delay before retry = ${microseconds(standardDelayMs(checker))}`,
  ];
}

function printPair({ ip, port }: ServerAddress): string {
  return `[${printIp(ip)}]:${port}`;
}

function connectionLines(checker: Checker): string[] {
  if (!("connection" in checker)) return [];
  const { destination, source, interface: link, mark, timeoutMs } = checker.connection;
  const any = Uint8Array.of(0, 0, 0, 0);
  return [
    "   Connection",
    `     Dest = ${printPair(destination)}`,
    ...(source === undefined ? [] : [`     Bind to = ${printPair({ ip: source.ip ?? any, port: source.port })}`]),
    ...optional(`     Bind i/f = ${link}`, link),
    ...(mark === 0 ? [] : [`     Mark = ${mark}`]),
    `     Timeout = ${seconds(timeoutMs)}`,
  ];
}

function checkerLines(
  server: VirtualServer,
  real: RealServer,
  checker: Checker,
  state: CheckerReport,
  facts: CheckDumpFacts,
): string[] {
  const isLogged = "logAllFailures" in checker && checker.logAllFailures;
  return [
    ` ${server.name} -> ${real.name}`,
    `   Enabled = ${yesNo(state.isEnabled)}`,
    `   Up = ${yesNo(state.isUp)}`,
    `   Has run = ${yesNo(state.hasRun)}`,
    `   Current weight = ${state.weight}`,
    ...timingLines(checker, state),
    `   Log all failures = ${yesNo(isLogged)}`,
    ...connectionLines(checker),
    ...methodLines(server, real, checker, state, facts),
  ];
}

function methodLines(
  server: VirtualServer,
  real: RealServer,
  checker: Checker,
  state: CheckerReport,
  facts: CheckDumpFacts,
): string[] {
  const head = `   Keepalive method = ${checker.kind}`;
  switch (checker.kind) {
    case "HTTP_GET":
    case "SSL_GET":
      return httpLines(checker, real.checking.virtualhost ?? server.checking.virtualhost);
    case "MISC_CHECK":
      return [
        head,
        `   script = ${checker.command.argv.map((word) => `'${word}'`).join(" ")}`,
        `   timeout = ${checker.timeoutMs / 1000}`,
        `   dynamic = ${checker.dynamic ? "YES" : "NO"}`,
        `   uid:gid = ${facts.account(checker.command)}`,
        `   Last ran = ${seconds(state.lastRunMs)} (${printCtime(state.lastRunMs)}.${microsOf(state.lastRunMs)})`,
        `   Last status = ${state.lastStatus}`,
      ];
    case "SMTP_CHECK":
      return [head, `   helo = ${checker.heloName}`];
    case "DNS_CHECK":
      return [head, `   Type = ${dnsType(checker.type)}`, `   Name = ${checker.name}`];
    case "UDP_CHECK":
      return [head, ...udpLines(checker)];
    case "BFD_CHECK":
      return [head, `   Name = ${checker.session}`, `   Alpha is ${onOff(checker.alpha)}`];
    case "FILE_CHECK":
      return [head, `     Tracked file = ${checker.file}`, "     Reloaded = No"];
    default:
      return [head];
  }
}

function microsOf(ms: number): string {
  return String(Math.round((ms % 1000) * 1000)).padStart(6, "0");
}

function dnsType(type: number): string {
  return Object.entries(DNS_TYPES).find(([, number]) => number === type)?.[0] ?? String(type);
}

function udpLines({ payload, reply }: Extract<Checker, { readonly kind: "UDP_CHECK" }>): string[] {
  return [
    ...(payload === undefined ? [] : [`   Payload len = ${payload.length}`]),
    `   Require reply = ${yesNo(reply !== undefined)}`,
    ...(reply === undefined
      ? []
      : [
          `     Min reply length = ${reply.minBytes}`,
          `     Max reply length = ${reply.maxBytes}`,
          `     Reply data len = ${reply.bytes.length}`,
          `     Reply data mask = ${yesNo(reply.mask.some((byte) => byte !== 0))}`,
        ]),
  ];
}

function httpLines(checker: HttpChecker, hostAbove: string | undefined): string[] {
  const { kind, protocol, virtualHost, serverNames, fastRecovery, urls } = checker;
  const hasOwnHost = virtualHost !== undefined && virtualHost !== hostAbove;
  return [
    `   Keepalive method = ${kind}, http protocol ${protocol}`,
    ...(hasOwnHost ? [`   Virtualhost = ${virtualHost}`] : []),
    `   Enable SNI ${serverNames.some((name) => name !== undefined) ? "set" : "unset"}`,
    `   Fast recovery ${fastRecovery ? "set" : "unset"}`,
    ...urls.flatMap(urlLines),
  ];
}

function urlLines({ path, digest, statusCodes, virtualHost, regex }: HttpChecker["urls"][number]): string[] {
  const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [
    `   Checked url = ${path}`,
    ...(digest === undefined ? [] : [`     digest = ${hex(digest)}`]),
    "     HTTP Status Code(s)",
    ...statusCodes.map(([from, to]) => `       ${from === to ? from : `${from}-${to}`}`),
    ...optional(`     Virtual host = ${virtualHost}`, virtualHost),
    ...(regex === undefined
      ? []
      : [
          `     Regex = "${regex.pattern}"`,
          ...(regex.mustNotMatch ? ["     Regex no match"] : []),
          ...(regex.minOffset === 0 && regex.maxOffset === undefined
            ? []
            : [`     Regex min offset = ${regex.minOffset}, max_offset = ${regex.maxOffset ?? 0}`]),
          `     Regex options: ${regex.options.join(" ")}`,
        ]),
  ];
}

function trackLines({ virtualServers, trackFiles, bfds }: KeepalivedConfig, facts: CheckDumpFacts): string[] {
  const all = virtualServers.flatMap((server) =>
    server.realServers.flatMap((real) => real.checkers.map((checker) => ({ server, real, checker }))),
  );
  const files = trackFiles.flatMap((file) => {
    const users = all.flatMap(({ server, real, checker }) =>
      checker.kind === "FILE_CHECK" && checker.file === file.name
        ? [`     ${server.name} -> ${real.name}, ${weightOf(checker)}`]
        : [],
    );
    const head = [
      ` Track file = ${file.name}`,
      `   File = ${file.path}`,
      `   Status = ${facts.fileValue(file.name) ?? 0}`,
      `   Weight = ${file.weight}${file.weightReverse ? " reverse" : ""}`,
      "   Tracking instances :",
    ];
    return users.length === 0 ? [] : [...head, ...users];
  });
  const sessions = bfds.flatMap(({ name }) => {
    const users = all.flatMap(({ real, checker }) =>
      checker.kind === "BFD_CHECK" && checker.session === name ? [`   ${real.name}`] : [],
    );
    return users.length === 0 ? [] : [` Checker Track BFD = ${name}`, "   Tracking RS :", ...users];
  });
  return [
    ...(files.length === 0 ? [] : ["------< Checker track files >------", ...files]),
    ...(sessions.length === 0 ? [] : ["------< Checker track BFDs >------", ...sessions]),
  ];
}
