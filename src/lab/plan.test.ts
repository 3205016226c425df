import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { KEEPALIVED_CONF, NGINX_CONF, type NodeFiles, readPairFiles, stageFiles } from "./files.ts";
import { planOf } from "./load-pair.ts";
import { PlanError } from "./plan.ts";
import type { StagedFile } from "./protocol.ts";
import { filesForUserNamespace } from "./user-namespace.ts";

const EXAMPLE = path.resolve(fileURLToPath(import.meta.url), "../../../../examples/pair");

function node(keepalived: string, nginx = "events {}\nhttp { server { listen 88; } }"): readonly StagedFile[] {
  const file = (text: string) => ({ mode: 0o644, bytes: Buffer.from(text) });
  return stageFiles(
    new Map([
      [NGINX_CONF, file(nginx)],
      [KEEPALIVED_CONF, file(keepalived)],
    ]),
    new Map(),
    {},
  );
}

function instance(lines: string, priority = 100): string {
  return `vrrp_instance V {\n interface eth0\n virtual_router_id 1\n priority ${priority}\n${lines}\n}\n`;
}

test("the example is planned with the tutorial's names and addresses", () => {
  const files = readPairFiles([EXAMPLE]);
  const plan = planOf({
    a: stageFiles(files.a, new Map(), {}),
    b: stageFiles(files.b, new Map(), {}),
  });
  assert.deepEqual(plan.nodes.a.station, { name: "a", interface: "eth0", addresses: ["192.168.50.133/24"] });
  assert.deepEqual(plan.nodes.b.station, { name: "b", interface: "eth1", addresses: ["192.168.50.134/24"] });
  assert.deepEqual(plan.client.addresses, ["192.168.50.200/24"]);
  assert.deepEqual([plan.virtualIp, plan.port, plan.preferred], ["192.168.50.130", 88, "a"]);
  assert.deepEqual([plan.nodes.a.checkIntervalMs, plan.nodes.a.checkTimeoutMs], [2000, 2000]);
});

test("a node lays its own files over those of the pair", () => {
  const { a, b } = readPairFiles([EXAMPLE]);
  assert.deepEqual([...a.keys()].sort(), [
    "html/50x.html",
    "html/index.html",
    "keepalived.conf",
    "nginx.conf",
    "nginx_check.sh",
  ]);
  assert.match(a.get("html/index.html")?.bytes.toString() ?? "", /nginx! 1/);
  assert.match(b.get("html/index.html")?.bytes.toString() ?? "", /nginx! 2/);
});

test("stations without an address of their own get free ones, in every network that is needed", () => {
  const own = instance("virtual_ipaddress {\n 10.0.0.200/24\n 172.16.0.1\n}");
  const plan = planOf({ a: node(own), b: node(own.replace("priority 100", "priority 90")) });
  assert.deepEqual(plan.client.addresses, ["10.0.0.201/24", "172.16.0.200/24"]);
  assert.deepEqual(plan.nodes.a.station.addresses, ["10.0.0.202/24", "172.16.0.201/24"]);
  assert.deepEqual(plan.nodes.b.station.addresses, ["10.0.0.203/24", "172.16.0.202/24"]);
});

test("of equal priorities the higher address is preferred", () => {
  const with_ = (last: number) => instance(`mcast_src_ip 10.0.0.${last}\nvirtual_ipaddress {\n 10.0.0.9\n}`);
  assert.equal(planOf({ a: node(with_(1)), b: node(with_(2)) }).preferred, "b");
});

test("a unicast peer tells a node's address when the node itself does not", () => {
  const a = instance("unicast_src_ip 10.0.0.1\nunicast_peer {\n 10.0.0.2\n}\nvirtual_ipaddress {\n 10.0.0.9\n}");
  const b = instance("unicast_peer {\n 10.0.0.1\n}\nvirtual_ipaddress {\n 10.0.0.9\n}", 90);
  assert.deepEqual(planOf({ a: node(a), b: node(b) }).nodes.b.station.addresses, ["10.0.0.2/24"]);
});

test("the port is that of the first server that speaks plain HTTP", () => {
  const keepalived = instance("virtual_ipaddress {\n 10.0.0.9\n}");
  const listening = (listen: string) => {
    const staged = node(keepalived, `events {}\nhttp { server { ${listen} } }`);
    return planOf({ a: staged, b: staged }).port;
  };
  assert.equal(listening(""), 80);
  assert.equal(listening("listen 443 ssl; listen 8080;"), 8080);
  assert.equal(listening("listen unix:/run/x.sock; listen [::]:81;"), 81);
  assert.equal(listening("listen 10.0.0.9:82 default_server;"), 82);
  assert.equal(listening("listen localhost;"), 80);
});

test("what cannot be rehearsed is said in one sentence", () => {
  const good = node(instance("virtual_ipaddress {\n 10.0.0.9\n}"));
  assert.throws(() => planOf({ a: node(""), b: good }), new PlanError("node a has no vrrp_instance"));
  assert.throws(
    () => planOf({ a: good, b: node(instance("virtual_ipaddress {\n 10.0.0.9\n}"), "events {") }),
    /node b: .*unexpected end of file/,
  );
  assert.throws(() => readPairFiles(["/nowhere"]), /\/nowhere can't be read: ENOENT/);
  assert.throws(() => readPairFiles([]), PlanError);
});

test("in a user namespace everything belongs to root", () => {
  const files: NodeFiles = new Map([
    [NGINX_CONF, { mode: 0o644, bytes: Buffer.from("user www-data www-data;\nevents {}\n") }],
    [
      KEEPALIVED_CONF,
      {
        mode: 0o644,
        bytes: Buffer.from("global_defs {\n\tenable_script_security\n\tscript_user keepalived_script\n}\n"),
      },
    ],
    ["page.html", { mode: 0o644, bytes: Buffer.from("user x;") }],
  ]);
  const text = (name: string) => filesForUserNamespace(files).get(name)?.bytes.toString();
  assert.equal(text(NGINX_CONF), "user root;\nevents {}\n");
  assert.equal(text(KEEPALIVED_CONF), "global_defs {\n\tscript_user root\n}\n");
  assert.equal(text("page.html"), "user x;");
});
