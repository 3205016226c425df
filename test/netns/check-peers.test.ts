/** `tandem check --peers` on a real network: two nodes that run, compared over the peer channel. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "../../src/lab/flavours.ts";
import { Topology } from "../../src/lab/topology.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { Node, staged, until } from "./lab-node.ts";

const VIP = "192.168.50.130";
const KEY = "peer_key a-secret-of-this-test";

function nginxConf(...listens: readonly number[]): string {
  const servers = listens.map((port) => `  server { listen ${port}; server_name s${port}.example; return 200 hello; }`);
  return `user root;\npid /run/nginx.pid;\nworker_processes 1;\nerror_log stderr notice;\nevents { }\nhttp {\n  access_log off;\n${servers.join("\n")}\n}\n`;
}

function keepalivedConf(node: "a" | "b", globals: string, address: string): string {
  return `global_defs {
router_id ${node}
${globals}
}
vrrp_instance VI_1 {
interface eth0
virtual_router_id 33
priority ${node === "a" ? 100 : 90}
version 3
advert_int 0.1
virtual_ipaddress {
${address}
}
}
`;
}

interface Files {
  readonly keepalived: string;
  readonly nginx: string;
}

async function withPair(
  files: Readonly<Record<"a" | "b", Files>>,
  body: (a: Node, b: Node) => Promise<void>,
): Promise<void> {
  const station = (name: string, host: number) => ({ name, interface: "eth0", addresses: [`192.168.50.${host}/24`] });
  const topology = await Topology.build("sw", [station("a", 133), station("b", 134)]);
  const nodes = [new Node("a", topology.station("a").agent), new Node("b", topology.station("b").agent)] as const;
  const [a, b] = nodes;
  try {
    for (const node of nodes) {
      await node.agent.call("stage", [
        staged("/etc/keepalived/keepalived.conf", files[node.name].keepalived),
        staged("/etc/nginx/nginx.conf", files[node.name].nginx),
      ]);
      await node.agent.call("watchAddresses");
      await node.start();
    }
    await until("a has the address", () => a.holds(VIP));
    await body(a, b);
  } catch (error) {
    const log = nodes.flatMap(({ name, lines }) => lines.slice(-60).map((line) => `${name} ${line}`));
    throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
  } finally {
    await topology.close();
  }
}

/** What the command prints on both streams, and its exit status. */
async function checkPeers(node: Node, ...options: readonly string[]): Promise<{ text: string; status: number }> {
  const command = [process.execPath, path.join(CHECKOUT, "bin/tandem"), "check", "--peers", "--offline", ...options];
  const printed = await node.run(["sh", "-c", `${command.join(" ")} 2>&1; echo "status $?"`]);
  const match = /\n?status (\d+)$/.exec(printed);
  assert.ok(match !== null, printed);
  return { text: printed.slice(0, match.index), status: Number(match[1]) };
}

const know = (a: Node) => until("they know each other", async () => /^partner b/m.test(await a.tandem("status")));

inPrivateNetwork(import.meta.url, () => {
  test("differences between the running nodes are found, each with its file and line, from either side", () =>
    withPair(
      {
        a: { keepalived: keepalivedConf("a", KEY, VIP), nginx: nginxConf(80, 8080) },
        b: { keepalived: keepalivedConf("b", KEY, "192.168.50.131"), nginx: nginxConf(80) },
      },
      async (a, b) => {
        await know(a);
        const { text, status } = await checkPeers(a);
        assert.equal(status, 2, text);
        assert.match(
          text,
          /^Running partner b, 192\.168\.50\.134 on eth0, Tandem [\d.]+; its clock is \d+\.\d ms (ahead|behind) /m,
        );
        assert.match(text, /\[addresses-differ\]/);
        assert.match(text, /^ {4}b:\/etc\/keepalived\/keepalived\.conf:\d+ /m);
        assert.match(
          text,
          /Only nginx of a listens on port 8080 {2}\[listens-differ\]\n {4}\/etc\/nginx\/nginx\.conf:9 /,
        );
        assert.match(text, /Only nginx of a has a server called s8080\.example/);
        assert.doesNotMatch(text, /clock-skew|tandem-version-differs|configuration-stale/);
        const document = JSON.parse((await checkPeers(b, "--json")).text);
        assert.deepEqual([document.version, document.exitStatus, document.node], [1, 2, "b"]);
        const [partner] = document.partners;
        assert.deepEqual([partner.name, partner.address, partner.why], ["a", "192.168.50.133", null]);
        const rules = partner.check.findings.map(({ rule }: { rule: string }) => rule);
        for (const rule of ["addresses-differ", "listens-differ", "server-names-differ"])
          assert.ok(rules.includes(rule), rule);
      },
    ));

  test("of a pair that agrees no difference is found; what was changed and not reloaded is told; a partner that hangs is waited for only so long", () =>
    withPair(
      {
        a: { keepalived: keepalivedConf("a", KEY, VIP), nginx: nginxConf(80) },
        b: { keepalived: keepalivedConf("b", KEY, VIP), nginx: nginxConf(80) },
      },
      async (a, b) => {
        await know(a);
        const { text, status } = await checkPeers(a);
        assert.notEqual(status, 3, text);
        assert.doesNotMatch(text, /differ\]|configuration-stale/);
        await b.run(["sh", "-c", "echo '# more' >> /etc/nginx/nginx.conf"]);
        const stale = await checkPeers(a);
        assert.match(stale.text, /b runs another configuration than its files say: b:\/etc\/nginx\/nginx\.conf/);
        await b.agent.call("signalPart", { part: "vrrp", signal: "SIGSTOP" });
        const silent = await checkPeers(a);
        assert.equal(silent.status, 3, silent.text);
        assert.match(
          silent.text,
          /b can't be compared: it has not sent its configuration|a hears no partner on the peer channel/,
        );
      },
    ));

  test("without a peer_key nothing can be compared, and that is said", () =>
    withPair(
      {
        a: { keepalived: keepalivedConf("a", "", VIP), nginx: nginxConf(80) },
        b: { keepalived: keepalivedConf("b", "", VIP), nginx: nginxConf(80) },
      },
      async (a) => {
        await until("a answers", async () => /^VI_1/m.test(await a.tandem("status")));
        const { text, status } = await checkPeers(a);
        assert.equal(status, 3);
        assert.match(text, /^tandem check: this node has no peer channel: no peer_key is configured/);
      },
    ));
});
