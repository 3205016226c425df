/** `split_brain_policy safe` on a real network: a node that is cut off lets go before the other one takes over, a gateway of ARP, other owners, the report. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentHandle } from "../../src/lab/agent-handle.ts";
import { Topology } from "../../src/lab/topology.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { Node, staged, until } from "./lab-node.ts";

const VIP = "192.168.50.130";
const VIP6 = "2001:db8:50::130";
const GATEWAY = "192.168.50.201";
const FLIGHTS = "/run/flights";
const NGINX =
  "user root; pid /run/nginx.pid; worker_processes 1; error_log stderr notice; events {} http { access_log off; server { listen 80; listen [::]:80; location / { return 200 hello; } } }";

type Family = 4 | 6;
const addressesOf = { 4: [VIP], 6: [VIP6] } as const;
const vipOf = { 4: VIP, 6: VIP6 } as const;

function keepalivedConf(node: "a" | "b", policy: string, family: Family): string {
  return `global_defs {\nrouter_id ${node}\npeer_key a-secret-of-this-test\nflight_recorder_dir ${FLIGHTS}\n}
vrrp_instance VI_1 { interface eth0\nvirtual_router_id 33\npriority ${node === "a" ? 100 : 90}\nversion 3\nadvert_int 0.1
${policy}\nvirtual_ipaddress {\n${addressesOf[family].join("\n")}\n}\n}\n`;
}

async function withPair(
  policy: string,
  family: Family,
  body: (a: Node, b: Node, topology: Topology, client: AgentHandle) => Promise<void>,
): Promise<void> {
  const station = (name: string, host: number) => ({
    name,
    interface: "eth0",
    addresses: [`192.168.50.${host}/24`, `2001:db8:50::${host}/64`],
  });
  const topology = await Topology.build("sw", [station("a", 133), station("b", 134), station("g", 201)]);
  const nodes = [new Node("a", topology.station("a").agent), new Node("b", topology.station("b").agent)] as const;
  const [a, b] = nodes;
  try {
    for (const node of nodes) {
      await node.agent.call("stage", [
        staged("/etc/keepalived/keepalived.conf", keepalivedConf(node.name, policy, family)),
        staged("/etc/nginx/nginx.conf", NGINX),
      ]);
      await node.agent.call("watchAddresses");
      await node.start();
    }
    const isAtHome = (): boolean => a.holds(vipOf[family]) && !b.holds(vipOf[family]);
    await until("a has the address", isAtHome);
    await until("they know each other", async () => /^partner b/m.test(await a.tandem("status")));
    await until("a has the address", isAtHome);
    await body(a, b, topology, topology.station("g").agent);
  } catch (error) {
    const log = nodes.flatMap(({ name, lines }) => lines.slice(-50).map((line) => `${name} ${line}`));
    throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
  } finally {
    await topology.close();
  }
}

const SAFE = `split_brain_policy safe\nsplit_brain_timeout 2\nsplit_brain_gateway`;
const GATEWAY6 = "2001:db8:50::201";

inPrivateNetwork(import.meta.url, () => {
  test("safe: the node that is cut off lets go, and only then does the other one take over", () =>
    withPair(`${SAFE} ${GATEWAY}`, 4, async (a, b, topology) => {
      let areBoth = false;
      const watch = setInterval(() => {
        areBoth ||= a.holds(VIP) && b.holds(VIP);
      }, 1);
      topology.unplug("a");
      await until("b has it", () => b.holds(VIP));
      assert.ok(!a.holds(VIP) && !areBoth, "never both");
      topology.replug("a");
      await until("a has it back", () => a.holds(VIP) && !b.holds(VIP));
      clearInterval(watch);
      assert.match(a.lines.join("\n"), /Entering FAULT STATE/);
    }));

  for (const [family, gateway] of [
    [4, GATEWAY],
    [6, GATEWAY6],
  ] as const)
    test(`safe: nobody takes over an IPv${family} address that the kernel of a dead node answers for`, () =>
      withPair(`${SAFE} ${gateway}`, family, async (a, b) => {
        const vip = vipOf[family];
        // Stopped first: whoever survives the others by a moment would take the address away.
        for (const signal of ["SIGSTOP", "SIGKILL"]) await a.agent.call("signalPart", { part: "all", signal });
        await until("b hears another owner", () => b.lines.some((line) => / split brain: .* answers for /.test(line)));
        await sleep(1000);
        assert.ok(a.holds(vip) && !b.holds(vip));
        await a.agent.call("restoreAddresses");
        await until("b takes over when it is gone", () => b.holds(vip));
      }));

  test("available: both have it while they are cut off from each other, and the heal is reported", () =>
    withPair("", 4, async (a, b, topology, client) => {
      await client.call("startKeepAlive", { ip: VIP, port: 80, connections: 2, pauseMs: 10 });
      await sleep(200);
      topology.unplug("b");
      await until("b has it too", () => a.holds(VIP) && b.holds(VIP));
      await sleep(1000);
      topology.replug("b");
      await until("one has it", () => a.holds(VIP) && !b.holds(VIP));
      const reported = (): string | undefined => a.lines.find((line) => line.includes("had two owners for"));
      await until("it is reported", () => reported() !== undefined);
      assert.match(
        reported() ?? "",
        /VI_1 had two owners for [12]\.\d s, from [\d:.]+ to [\d:.]+: b and a; a has it now; no client of b had an open connection/,
      );
      await until("and written down", async () => (await a.run(["ls", FLIGHTS])).includes("incident-VI_1.json"));
      const { failures } = await client.call("stopKeepAlive");
      assert.deepEqual(failures, {}, "clients of the winner have noticed nothing");
    }));
});
