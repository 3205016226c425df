/** The flight recorder on a real network: what is saved at each change of role and at a crash, and what `tandem why` tells of both nodes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Topology } from "../../src/lab/topology.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { Node, staged, until } from "./lab-node.ts";

const VIP = "192.168.50.130";
const FLIGHTS = "/run/flights";
const NGINX =
  "user root; pid /run/nginx.pid; worker_processes 1; error_log stderr notice; events {} http { access_log off; server { listen 80; } }";

function keepalivedConf(node: "a" | "b", priority: number): string {
  return `global_defs {\nrouter_id ${node}\npeer_key a-secret-of-this-test\nflight_recorder_dir ${FLIGHTS}\nflight_recorder_files 3\n}
vrrp_script chk { script "/usr/bin/test ! -e /run/broken"\ninterval 1\nweight -50 }
vrrp_instance VI_1 { interface eth0\nvirtual_router_id 33\npriority ${priority}\nversion 3\nadvert_int 0.1
virtual_ipaddress {\n${VIP}\n}\ntrack_script {\nchk\n}\n}\n`;
}

async function withPair(body: (a: Node, b: Node) => Promise<void>): Promise<void> {
  const station = (name: string, host: number) => ({ name, interface: "eth0", addresses: [`192.168.50.${host}/24`] });
  const topology = await Topology.build("sw", [station("a", 133), station("b", 134)]);
  const nodes = [new Node("a", topology.station("a").agent), new Node("b", topology.station("b").agent)] as const;
  const [a, b] = nodes;
  try {
    for (const [i, node] of nodes.entries()) {
      await node.agent.call("stage", [
        staged("/etc/keepalived/keepalived.conf", keepalivedConf(node.name, 100 - 10 * i)),
        staged("/etc/nginx/nginx.conf", NGINX),
      ]);
      await node.agent.call("watchAddresses");
      await node.start();
    }
    await until("a has the address", () => a.holds(VIP));
    await until("they know each other", async () => /^partner b/m.test(await a.tandem("status")));
    await body(a, b);
  } catch (error) {
    const log = nodes.flatMap(({ name, lines }) => lines.slice(-60).map((line) => `${name} ${line}`));
    throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
  } finally {
    await topology.close();
  }
}

const saved = async (node: Node): Promise<string[]> =>
  (await node.run(["ls", FLIGHTS])).split("\n").filter((name) => name.startsWith("flight-"));

inPrivateNetwork(import.meta.url, () => {
  test("a failed check moves the address, and both nodes tell why, in one time", () =>
    withPair(async (a, b) => {
      await a.run(["touch", "/run/broken"]);
      await until("b has it", () => b.holds(VIP) && !a.holds(VIP));
      await sleep(300);
      const why = await b.tandem("why", "VI_1");
      assert.match(why, /^VI_1 is MASTER on b since [\d:.]+: /);
      assert.match(why, /^a is BACKUP since /m);
      assert.match(why, / a {2}check: script chk failed$/m);
      assert.match(why, / b {2}BACKUP → MASTER, priority 90: /m);
      assert.match(why, / a {2}MASTER → BACKUP, priority /m);
      assert.match(why, /^a's clock is \d\.\d ms (ahead|behind) \(± \d+\.\d ms\); its times are told in ours\.$/m);
      const { nodes, silent, instances } = JSON.parse(await b.tandem("why", "--json"));
      assert.deepEqual([nodes.map(({ node }: { node: string }) => node), silent], [["b", "a"], []]);
      assert.equal(instances[0].instance, "VI_1");
      await until("it is saved on both", async () => (await saved(a)).length >= 2 && (await saved(b)).length >= 2);
      const names = (await saved(b)).filter((name) => name.endsWith("-VI_1-MASTER.json"));
      assert.ok(names.length > 0, `${await saved(b)}`);
      assert.match(await b.tandem("why", "--file", `${FLIGHTS}/${names.at(-1)}`), /VI_1 is MASTER on b since/);
      assert.match(await b.tandem("why", "VI_9"), /there is no instance VI_9/);
    }));

  test("what a killed VRRP process has done is known, and only so many files are kept", () =>
    withPair(async (a, b) => {
      for (let i = 0; i < 5; i++) {
        await until("a is active", () => a.holds(VIP));
        await sleep(200);
        await a.agent.call("signalPart", { part: "vrrp", signal: "SIGKILL" });
        await until("b has it", () => b.holds(VIP));
        await sleep(200);
      }
      await until("a has it back", () => a.holds(VIP));
      const why = await a.tandem("why", "--all");
      assert.match(why, /sends the last of \d+ adverts, priority 100/);
      assert.match(why, / a {2}INIT → BACKUP, priority 100: start/);
      assert.match(why, / a {2}MASTER → INIT, priority 0: its process has died/);
      const reported = [a, b].flatMap(({ lines }) => lines.filter((line) => line.includes("had two owners")));
      assert.deepEqual(reported, [], "who has died owns nothing any more");
      await until("all is saved", async () =>
        (await saved(a)).some((name) => name.includes("VRRP-process-died-signal_SIGKILL")),
      );
      await until("as many are kept as configured", async () => {
        const names = await saved(a);
        return [".json", ".pcap"].every((ending) => names.filter((name) => name.endsWith(ending)).length === 3);
      });
    }));
});
