/** The status document as a person reads it. */
import type {
  CheckStatus,
  HandoverStatus,
  HttpStatus,
  PartnerStatus,
  PeerStatus,
  RealServerStatus,
  RouterStatus,
  ServersStatus,
  StatusDocument,
  UpstreamStatus,
  VirtualServerStatus,
  VrrpStatus,
} from "./status.ts";

/** `3 d 4 h`, `5 min 6 s`, `7 s`: the two largest units. */
export function printDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: string[] = [];
  let left = seconds;
  for (const [size, unit] of [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function routerLines(router: RouterStatus, now: number): string[] {
  const lasted = printDuration(now - Date.parse(router.since));
  const effective = router.effectivePriority === router.priority ? "" : ` (configured ${router.priority})`;
  const active = router.activeRouter;
  const who =
    active === null ? "not known" : active.self ? "this node" : `${active.address} (priority ${active.priority})`;
  const lines = [
    `${router.name}: ${router.role} for ${lasted}, because: ${router.why}`,
    `  interface ${router.interface}, VRID ${router.virtualRouterId}, version ${router.version}, adverts every ${router.advertIntervalMs} ms`,
    `  priority ${router.effectivePriority}${effective}, active router: ${who}`,
    ...(router.standsBackAt === null
      ? []
      : [`  stands back since a hand-over: at most priority ${router.standsBackAt}`]),
    ...dampingLines(router),
    `  addresses held: ${router.heldAddresses.join(", ") || "none"} (of ${router.addresses.join(", ")})`,
  ];
  const dropped = Object.entries(router.dropped);
  if (dropped.length > 0)
    lines.push(`  adverts dropped: ${dropped.map(([reason, count]) => `${reason} ${count}`).join(", ")}`);
  return lines;
}

function dampingLines({ flapDamping }: RouterStatus): string[] {
  if (flapDamping === null || flapDamping.heldPriority === null) return [];
  const { heldPriority, penalty, endsInMs } = flapDamping;
  return [
    `  damped, its health flaps (penalty ${penalty}): at most priority ${heldPriority} for ${printDuration(endsInMs ?? 0)}`,
  ];
}

function checkLine(check: CheckStatus): string {
  const verdict = check.ok === null ? "no result yet" : check.ok ? "ok" : "FAILED";
  const took = check.durationMs === null ? "" : `, took ${Math.round(check.durationMs)} ms`;
  const detail = check.lastResult === "" ? "" : ` (${check.lastResult}${took})`;
  return `${check.kind} ${check.name}: ${verdict}${detail}`;
}

function partnerLines(partner: PartnerStatus): string[] {
  const { ipv4, ipv6 } = partner.keepsConnections;
  const families = [...(ipv4 ? ["IPv4"] : []), ...(ipv6 ? ["IPv6"] : [])];
  const keeps =
    families.length === 0 ? "cannot keep our connections" : `keeps our connections (${families.join(", ")})`;
  const drained = partner.drained ? ", drained" : "";
  return [
    `partner ${partner.name}: ${partner.address} on ${partner.interface}, Tandem ${partner.version}, ${keeps}${drained}`,
    ...partner.routers.map(({ virtualRouterId, family, role, priority, connections }) => {
      const kept = connections === null ? "" : `, ${connections} connections go on there`;
      return `  VRID ${virtualRouterId} IPv${family}: ${role}, priority ${priority}${kept}`;
    }),
  ];
}

function handoverLine({ instances, side, phase, partner, connections, endsInMs }: HandoverStatus): string {
  const names = instances.join(", ");
  const left = printDuration(endsInMs);
  if (phase === "draining")
    return `hand-over of ${names} to ${partner}: ${connections} connections go on here, for at most ${left}`;
  if (phase === "detouring")
    return `hand-over of ${names} from ${partner}: its open connections are passed on to it, for at most ${left}`;
  return `hand-over of ${names} ${side === "giver" ? "to" : "from"} ${partner}: ${phase}`;
}

function vrrpLines(vrrp: VrrpStatus, now: number): string[] {
  const lines = vrrp.routers.flatMap((router) => routerLines(router, now));
  for (const group of vrrp.groups) lines.push(`group ${group.name}: ${group.role} (${group.members.join(", ")})`);
  lines.push(...vrrp.checks.map(checkLine));
  lines.push(...(vrrp.partners ?? []).flatMap(partnerLines));
  if (vrrp.partners?.length === 0) lines.push("partner: none is heard on the peer channel");
  lines.push(...vrrp.handovers.map(handoverLine));
  if (vrrp.drained) lines.push("drained: this node wants no address (tandem drain --undo)");
  const restarts = vrrp.restarts === 0 ? "" : `, restarted ${vrrp.restarts} times`;
  lines.push(`VRRP process: ${vrrp.pid === null ? "not running" : `pid ${vrrp.pid}`}${restarts}`);
  return lines;
}

function httpLines(http: HttpStatus, now: number): string[] {
  const workers = http.workers.map(({ pid, connections }) => `${pid} (${connections})`).join(", ");
  return [
    `HTTP: ${http.requests} requests, ${http.connections} open connections, ${http.accepted} accepted`,
    `  workers (connections): ${workers || "none"}`,
    ...http.upstreams.flatMap((upstream) => upstreamLines(upstream, now)),
  ];
}

function upstreamLines({ name, peers }: UpstreamStatus, now: number): string[] {
  const up = peers.filter(({ state }) => state === "up").length;
  return [`upstream ${name}: ${up} of ${peers.length} peers up`, ...peers.map((peer) => `  ${peerLine(peer, now)}`)];
}

function peerLine({ name, backup, state, connections, check }: PeerStatus, now: number): string {
  const words = [`${name}${backup ? " (backup)" : ""}: ${state}, ${connections} connections`];
  if (check === null) words.push("not checked");
  else if (check.at === null) words.push("no check yet");
  else {
    const verdict = check.why === "" ? "passed" : `failed while ${check.why}`;
    const counts = `${check.failures} of ${check.checks} checks failed`;
    words.push(`last check ${printDuration(now - Date.parse(check.at))} ago ${verdict}`, counts);
  }
  return words.join("; ");
}

function serversLines({ pid, restarts, method, virtualServers }: ServersStatus): string[] {
  const restarted = restarts === 0 ? "" : `, restarted ${restarts} times`;
  const process = pid === null ? "not running" : `pid ${pid}`;
  return [
    `Virtual servers by ${method}, checker process: ${process}${restarted}`,
    ...virtualServers.flatMap(serverLines),
  ];
}

function serverLines({ name, quorum, sorry, servers }: VirtualServerStatus): string[] {
  const alive = servers.filter((server) => server.alive).length;
  const state = quorum ? "quorum" : `quorum LOST${sorry ? ", the sorry server serves" : ""}`;
  return [
    `virtual server ${name}: ${alive} of ${servers.length} servers alive, ${state}`,
    ...servers.map((server) => `  ${realServerLine(server)}`),
  ];
}

function realServerLine({ name, alive, weight, checkers }: RealServerStatus): string {
  const verdicts = checkers.map(({ kind, up, ran }) => `${kind} ${ran ? (up ? "ok" : "FAILED") : "no result yet"}`);
  return `${name}: ${alive ? "alive" : "DOWN"}, weight ${weight}; ${verdicts.join(", ") || "not checked"}`;
}

/** The lines of `tandem status`, with a final newline. */
export function printStatus(status: StatusDocument): string {
  const now = Date.parse(status.now);
  const up = printDuration(now - Date.parse(status.startedAt));
  const lines = [`Tandem ${status.version} on ${status.host}, pid ${status.pid}, up ${up}`];
  if (status.vrrp !== null) lines.push("", ...vrrpLines(status.vrrp, now));
  if (status.http !== null) lines.push("", ...httpLines(status.http, now));
  if (status.servers) lines.push("", ...serversLines(status.servers));
  return `${lines.join("\n")}\n`;
}
