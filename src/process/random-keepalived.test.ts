import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { machineOf, readerOf } from "../conf/keepalived/example.ts";
import { normalise } from "../conf/keepalived/golden.cases.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import { printKeepalivedDiagnostic } from "../conf/keepalived/report.ts";
import { randomServers } from "./random-servers.cases.ts";

/** Files that each test makes; more with TANDEM_RANDOM_FILES, another beginning with TANDEM_SEED. */
const COUNT = Number(process.env["TANDEM_RANDOM_FILES"] ?? 40);
const SEED = Number(process.env["TANDEM_SEED"] ?? 4242);
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

const GLOBAL = [
  "router_id x",
  "vrrp_version 3",
  "vrrp_version 5",
  "enable_script_security",
  "script_user root",
  "vrrp_garp_interval 0",
  "vrrp_garp_master_delay 9",
  "vrrp_min_garp",
  "umask 022",
  "foo",
  "dynamic_interfaces",
  "notification_email {\n a@b\n}",
];
const INSTANCE = [
  "state MASTER",
  "state BACKUP",
  "state FOO",
  "priority 255",
  "priority 0",
  "nopreempt",
  "preempt_delay 5",
  "preempt_delay 2000",
  "advert_int 1.5",
  "version 3",
  "garp_master_repeat 0",
  "authentication {\n auth_type PASS\n auth_pass 123456789\n}",
  "authentication {\n auth_type PASS\n}",
  "mcast_src_ip 192.168.50.133",
  "mcast_src_ip fe80::1",
  "unicast_src_ip 192.168.50.133",
  "unicast_peer {\n 10.0.0.5\n}",
  "unicast_peer {\n}",
  "unicast_ttl 9",
  "track_interface {\n eth1 weight 5\n}",
  "track_interface {\n eth0\n}",
  "track_script {\n chk\n}",
  "track_script {\n no\n}",
  "virtual_ipaddress {\n 10.0.0.7/24 brd + dev eth1\n fe80::4\n}",
  "virtual_ipaddress_excluded {\n fe80::7\n 10.0.0.300\n}",
  "foo bar",
  "down_timer_adverts 0",
  "mcast_dst_ip 224.0.0.20",
  "notify /bin/true",
  "native_ipv6",
  "track_process {\n p\n}",
];
const SCRIPT = ["weight -5", "weight 5", "interval 3", "interval 0", "fall 2", "rise x", "init_fail", "foo"];

/** A linear congruential generator: the same files on every machine. */
function generator(seed: number): (bound: number) => number {
  return (bound) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % bound;
  };
}

function randomRouters(random: (bound: number) => number): string {
  const some = (list: readonly string[], max: number): string =>
    Array.from({ length: random(max + 1) }, () => list[random(list.length)]).join("\n");
  const parts: string[] = [];
  if (random(2) > 0) parts.push(`global_defs {\n${some(GLOBAL, 4)}\n}`);
  if (random(3) > 0)
    parts.push(`vrrp_script chk {\nscript "/bin/${random(3) > 0 ? "true" : "none"}"\n${some(SCRIPT, 3)}\n}`);
  if (random(2) > 0) parts.push("vrrp_track_process p {\nprocess nginx\n}");
  if (random(3) === 0) parts.push(`vrrp_sync_group G {\ngroup {\nVI_1\n${random(2) > 0 ? "VI_2\n" : ""}}\n}`);
  for (let index = 1; index <= 1 + random(2); index++) {
    const [device, id] = [random(4) > 0 ? "eth0" : "eth1", random(4) > 0 ? 32 + index : 0];
    const vip = random(6) > 0 ? "virtual_ipaddress {\n 192.168.50.130\n}\n" : "";
    parts.push(
      `vrrp_instance VI_${index} {\ninterface ${device}\nvirtual_router_id ${id}\n${some(INSTANCE, 6)}\n${vip}}`,
    );
  }
  return `${parts.join("\n")}\n`;
}

const NETWORK = `
ip link add eth0 type veth peer name peer0 && ip link add eth1 type veth peer name peer1 &&
ip addr add 192.168.50.133/24 dev eth0 && ip addr add 10.0.0.1/24 dev eth1 || exit 77
for i in lo eth0 eth1 peer0 peer1; do ip link set $i up; done
cd "$1"
for f in *.conf; do timeout 10 keepalived -t -i node -f $f > $f.out 2>&1; echo "--- $?" >> $f.out; done
`;

const { error, stdout, stderr } = spawnSync("keepalived", ["-v"], { env: { PATH }, encoding: "utf8" });
const isThere = error === undefined && /Keepalived v2\.2\.7/.test(stdout + stderr);

const NO_KEEPALIVED = isThere ? false : "keepalived 2.2.7 is not installed";

/** What keepalived -t says of each of the texts and with what status it ends; a string says why there is no network namespace. */
function askKeepalived(texts: readonly string[]): readonly { lines: readonly string[]; status: number }[] | string {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-random-"));
  try {
    for (const [index, text] of texts.entries()) writeFileSync(path.join(folder, `c${index}.conf`), text);
    const user = process.getuid?.() === 0 ? [] : ["--map-root-user"];
    const run = spawnSync("unshare", [...user, "--net", "sh", "-c", NETWORK, "sh", folder], {
      env: { PATH },
      encoding: "utf8",
    });
    if (run.error !== undefined || run.status !== 0)
      return `no network namespace here: ${run.error?.message ?? run.stderr.trim()}`;
    return texts.map((_, index) => {
      const said = readFileSync(path.join(folder, `c${index}.conf.out`), "utf8");
      const lines = said.split("\n").filter((line) => line !== "");
      return { status: Number(/^--- (\d+)$/.exec(lines.pop() ?? "")?.[1]), lines };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compare(context: TestContext, make: (random: (bound: number) => number) => string): void {
  const random = generator(SEED);
  const texts = Array.from({ length: COUNT }, () => make(random));
  const answers = askKeepalived(texts);
  if (typeof answers === "string") {
    context.skip(answers);
    return;
  }
  const machine = machineOf(["eth0", "eth1"], { "/bin/true": "ok" });
  for (const [index, { lines, status }] of answers.entries()) {
    const file = `c${index}.conf`;
    const text = texts[index] as string;
    const loaded = loadKeepalived(file, { reader: readerOf({ [file]: text }), configId: "node", machine });
    const said = loaded.diagnostics.filter(({ severity }) => severity !== "info").map(printKeepalivedDiagnostic);
    assert.deepEqual([...normalise(said, file), loaded.exitStatus], [...normalise(lines, file), status], text);
  }
}

test("of random routers Tandem says what keepalived -t says", { skip: NO_KEEPALIVED }, (context) =>
  compare(context, randomRouters),
);

test("of random virtual servers Tandem says what keepalived -t says", { skip: NO_KEEPALIVED }, (context) =>
  compare(context, randomServers),
);
