import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

/** A node of the tutorial in a network namespace of its own, with a firewall that lets only ssh in. */
const NODE = `
ip link set lo up
ip link add eth0 type veth peer name peer0 && ip addr add 192.168.50.133/24 dev eth0 && ip link set eth0 up && ip link set peer0 up || exit 77
nft -f - <<'RULES' || exit 77
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    tcp dport 22 accept
  }
}
RULES
exec "$@"
`;

const missing = ["unshare", "ip", "nft"].find(
  (program) => spawnSync(program, ["--version"], { env: { PATH } }).error !== undefined,
);
const skip = missing === undefined ? false : `${missing} is not installed`;

test("on the node itself the firewall's rules are read and explained", { skip }, (context) => {
  const tutorial = path.join(root, "test", "tutorial");
  const command = [path.join(root, "bin", "tandem"), "check", "nginx.conf", "keepalived-master.conf", "--json"];
  const user = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const run = spawnSync("unshare", [...user, "--net", "sh", "-c", NODE, "sh", ...command], {
    cwd: tutorial,
    env: { PATH },
    encoding: "utf8",
  });
  if (run.error !== undefined || run.status === 77 || !run.stdout.startsWith("{")) {
    context.skip(`no network namespace with nftables here: ${run.stderr.trim().split("\n")[0]}`);
    return;
  }
  const { findings } = JSON.parse(run.stdout) as {
    findings: { rule: string; severity: string; title: string; fix: string }[];
  };
  assert.deepEqual(
    findings.filter(({ rule }) => rule === "firewall").map(({ severity, title }) => `${severity}: ${title}`),
    [
      "error: The firewall here drops VRRP adverts (IP protocol 112)",
      "error: The firewall here drops new connections to port 88",
    ],
  );
  assert.match(findings.find(({ rule }) => rule === "firewall")?.fix ?? "", /^nft insert rule inet filter input /);
  assert.ok(!findings.some(({ rule }) => rule === "interface-missing"), "eth0 has the address");
});
