/** Flap damping on a real network: a file that flaps moves the address twice and no more; the damped node still takes over alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Topology } from "../../src/lab/topology.ts";
import { inPrivateNetwork } from "../../src/os/private-network.cases.ts";
import { Node, staged, until } from "./lab-node.ts";

const VIP = "192.168.50.130";
const HEALTH = "/run/health";
const NGINX =
  "user root; pid /run/nginx.pid; worker_processes 1; error_log stderr notice; events {} http { access_log off; server { listen 80; return 200 hello; } }";

function keepalivedConf(node: "a" | "b"): string {
  const tracks = `track_file { health weight 1 }\nflap_damping half_life 60 suppress 1050 reuse 1000 max_suppress 12`;
  return `global_defs {\nrouter_id ${node}\n}\ntrack_file health {\nfile ${HEALTH}\n}
vrrp_instance VI_1 { interface eth0\nvirtual_router_id 33\npriority ${node === "a" ? 100 : 90}\nversion 3\nadvert_int 0.1
${node === "a" ? tracks : ""}\nvirtual_ipaddress {\n${VIP}\n}\n}\n`;
}

inPrivateNetwork(import.meta.url, () => {
  test("a node whose health flaps gives the address away, and gets it back when it is quiet", async () => {
    const station = (name: string, host: number) => ({
      name,
      interface: "eth0",
      addresses: [`192.168.50.${host}/24`],
    });
    const topology = await Topology.build("sw", [station("a", 133), station("b", 134)]);
    const [a, b] = [new Node("a", topology.station("a").agent), new Node("b", topology.station("b").agent)];
    const health = (value: number): Promise<unknown> => a.run(["sh", "-c", `echo ${value} > ${HEALTH}`]);
    try {
      for (const node of [a, b]) {
        await node.agent.call("stage", [
          staged("/etc/keepalived/keepalived.conf", keepalivedConf(node.name)),
          staged("/etc/nginx/nginx.conf", NGINX),
          staged(HEALTH, "0\n"),
        ]);
        await node.agent.call("watchAddresses");
        await node.start();
      }
      const isAt = (one: Node, other: Node) => () => one.holds(VIP) && !other.holds(VIP);
      await until("a has the address", isAt(a, b));
      let falls = 0;
      const isDamped = async (): Promise<boolean> => /^ {2}damped, its health flaps/m.test(await a.tandem("status"));
      while (!(await isDamped())) {
        assert.ok(falls++ < 10, "it is never damped");
        await health(-50);
        await until("b has it", isAt(b, a));
        await health(0);
        if (!(await isDamped())) await until("a has it back", isAt(a, b));
      }
      assert.ok(falls >= 2, `damped at fall ${falls}`);
      assert.match(a.lines.join("\n"), /\(VI_1\) Flap damping: its health flaps/);
      assert.match(
        await a.tandem("why", "--all"),
        /Flap damping: its health flaps \(penalty \d+\), ranks at 50 at most/,
      );
      // It is damped for twelve seconds from its last fall on; three adverts with their skew are less than half of one.
      topology.unplug("b");
      await until("a takes over alone", () => a.holds(VIP));
      assert.doesNotMatch(a.lines.join("\n"), /quiet since then/);
      topology.replug("b");
      await until("b has it", isAt(b, a));
      await until("a has it when it is quiet", isAt(a, b), 30_000);
      assert.match(a.lines.join("\n"), /\(VI_1\) Flap damping: quiet since then/);
      await sleep(300);
      assert.ok(isAt(a, b)());
    } catch (error) {
      const log = [a, b].flatMap(({ name, lines }) => lines.slice(-50).map((line) => `${name} ${line}`));
      throw new Error(`${(error as Error).stack}\n${log.join("\n")}`);
    } finally {
      await topology.close();
    }
  });
});
