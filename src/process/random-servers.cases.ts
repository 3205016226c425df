/** Random virtual servers, for the comparison with keepalived -t. */

/** Whole numbers below a bound. */
type Random = (bound: number) => number;

const SERVICE = [
  "lvs_sched rr",
  "lvs_sched wlc",
  "lvs_sched foo",
  "lvs_sched",
  "lvs_method NAT",
  "lvs_method DR",
  "lvs_method TUN",
  "lvs_method foo",
  "protocol TCP",
  "protocol UDP",
  "protocol SCTP",
  "protocol foo",
  "delay_loop 5",
  "delay_loop 0",
  "delay_loop 1.5",
  "delay_loop abc",
  "persistence_timeout 50",
  "persistence_timeout",
  "persistence_timeout x",
  "persistence_granularity 255.255.255.0",
  "persistence_granularity 24",
  "quorum 0",
  "quorum 2",
  "quorum x",
  "hysteresis 9",
  "hysteresis x",
  "quorum_up /bin/true",
  "quorum_down /bin/none",
  "sorry_server 10.0.0.9 80",
  "sorry_server fe80::9 80",
  "sorry_server 10.0.0.9 99999",
  "sorry_server_inhibit",
  "ha_suspend",
  "alpha",
  "omega",
  "inhibit_on_failure",
  "virtualhost a",
  "virtualhost a b",
  "weight 70000",
  "weight x",
  "retry 0",
  "retry 3",
  "connect_timeout 0",
  "connect_timeout 3",
  "delay_before_retry 2",
  "warmup 1.5",
  "warmup -1",
  "ops",
  "smtp_alert maybe",
  "foo bar",
];
const SERVER = [
  "weight 5",
  "weight -1",
  "lvs_method DR",
  "lvs_method foo",
  "uthreshold 10",
  "lthreshold 20",
  "uthreshold x",
  "inhibit_on_failure",
  "inhibit_on_failure maybe",
  "alpha off",
  "notify_up /bin/true",
  "notify_down /bin/none",
  "delay_loop 3",
  "retry 2",
  "retry x",
  "warmup 0",
  "virtualhost",
  "virtualhost b",
  "foo",
];
const CONNECTION = [
  "connect_ip 10.0.0.7",
  "connect_ip fe80::7",
  "connect_ip x",
  "connect_port 8080",
  "connect_port 0",
  "bindto 10.0.0.1",
  "bindto fe80::1",
  "bind_port 70000",
  "bind_if eth0",
  "connect_timeout 4",
  "connect_timeout x",
  "fwmark 7",
  "fwmark x",
  "retry 2",
  "retry x",
  "delay_before_retry 1",
  "warmup 3",
  "delay_loop 0",
  "alpha",
  "alpha maybe",
  "log_all_failures off",
  "foo",
];
const URL = [
  "digest 640205b7b0fc66c1ea91c463fac6334d",
  "digest 12",
  "status_code 200",
  "status_code 200-299 404",
  "status_code x",
  "status_code 99",
  "virtualhost a",
  "regex ok",
  "regex_no_match",
  "regex_min_offset 3",
  "regex_max_offset 1",
  "regex_options caseless",
  "regex_options foo",
];
const OWN: Readonly<Record<string, readonly string[]>> = {
  TCP_CHECK: [],
  PING_CHECK: [],
  HTTP_GET: ["http_protocol 1.1", "http_protocol 2", "nb_get_retry 2", "virtualhost b", "fast_recovery"],
  SSL_GET: ["enable_sni", "virtualhost b"],
  SMTP_CHECK: ["helo_name a", "helo_name", "host {\n connect_ip 10.0.0.8\n}"],
  DNS_CHECK: ["type A", "type foo", "name example.com", "name a..b"],
  UDP_CHECK: ["payload 0102", "payload xx", "require_reply 01X2", "min_reply_length 300", "max_reply_length x"],
  MISC_CHECK: [],
  FILE_CHECK: [],
};
const KINDS = Object.keys(OWN);
const MISC = [
  "misc_path /bin/true",
  "misc_path /bin/none",
  "misc_timeout 5",
  "misc_timeout x",
  "misc_dynamic",
  "user root",
  "user nobody2",
  "retry 2",
];
const FILE = ["track_file f", "track_file g", "weight 3", "weight 3 reverse", "weight x"];

/** Some lines of a list, in any order, perhaps twice. */
function some(random: Random, list: readonly string[], max: number): string {
  return Array.from({ length: random(max + 1) }, () => `${list[random(list.length)]}\n`).join("");
}

function checker(random: Random): string {
  const kind = KINDS[random(KINDS.length)] as string;
  if (kind === "MISC_CHECK") return `MISC_CHECK {\n${some(random, MISC, 4)}}\n`;
  if (kind === "FILE_CHECK") return `FILE_CHECK {\n${some(random, FILE, 3)}}\n`;
  // keepalived 2.2.7 does not survive an HTTP_GET without them.
  const urls = kind === "HTTP_GET" || kind === "SSL_GET" ? `url {\npath /\n${some(random, URL, 3)}}\n` : "";
  return `${kind} {\n${some(random, [...CONNECTION, ...(OWN[kind] ?? [])], 4)}${urls}}\n`;
}

function realServer(random: Random, last: number, isIpv6: boolean): string {
  const usual = isIpv6 ? `fe80::${last} 80` : `10.0.0.${last} 80`;
  // One of the other family is left out, but keepalived 2.2.7 goes on with its checkers.
  const isForeign = last > 2 && random(10) === 0;
  const foreign = isIpv6 ? `10.0.0.${last} 80` : `2001:db8::${last} 80`;
  const address = isForeign ? foreign : random(10) > 0 ? usual : "10.0.0.300 80";
  const checkers = isForeign ? "" : Array.from({ length: random(3) }, () => checker(random)).join("");
  return `real_server ${address} {\n${some(random, SERVER, 3)}${checkers}}\n`;
}

/** A file of virtual servers. */
export function randomServers(random: Random): string {
  const parts = ["track_file f {\nfile /tmp/none\n}\n"];
  if (random(2) > 0)
    parts.push(`global_defs {\n${random(2) > 0 ? "script_user root\n" : ""}checker_log_all_failures\n}\n`);
  if (random(3) === 0) parts.push(`virtual_server_group G {\n10.0.0.${random(300)} 80\nfwmark 3\n}\n`);
  for (let index = 0; index <= random(2); index++) {
    const subject = [`10.0.0.10${index} 80`, `fwmark ${index + 1}`, "group G", "fe80::5 80", "10.0.0.77"][
      random(8) % 5
    ];
    const whole = random(4) > 0 ? "lvs_sched rr\nlvs_method NAT\nprotocol TCP\n" : "";
    const isIpv6 = subject?.startsWith("fe80") === true;
    const servers = Array.from({ length: 1 + random(3) }, (_, last) => realServer(random, last + 2, isIpv6)).join("");
    parts.push(`virtual_server ${subject} {\n${whole}${some(random, SERVICE, 5)}${servers}}\n`);
  }
  return parts.join("");
}
