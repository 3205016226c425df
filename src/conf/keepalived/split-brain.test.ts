import assert from "node:assert/strict";
import { test } from "node:test";
import { printIp } from "../../base/ip.ts";
import { readerOf } from "./example.ts";
import { loadKeepalived } from "./load.ts";
import { printKeepalivedDiagnostic } from "./report.ts";
import { readWitness } from "./split-brain.ts";

const FILE = "keepalived.conf";

function load(...lines: readonly string[]) {
  const text = `vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 33\nvirtual_ipaddress { 192.0.2.9 }\n${lines.join("\n")}\n}\n`;
  const { config, diagnostics, isUsable } = loadKeepalived(FILE, {
    reader: readerOf({ [FILE]: text }),
    configId: "node",
  });
  return {
    splitBrain: config.instances[0]?.splitBrain,
    isUsable,
    said: diagnostics.map(printKeepalivedDiagnostic).join("\n"),
  };
}

test("nothing is asked unless the policy is safe", () => {
  assert.equal(load().splitBrain, undefined);
  const { splitBrain, said } = load("split_brain_gateway 192.0.2.1");
  assert.equal(splitBrain, undefined);
  assert.match(said, /split_brain_… has no effect without split_brain_policy safe/);
});

test("gateway, witness and timeout are read", () => {
  const { splitBrain, isUsable } = load(
    "split_brain_policy safe",
    "split_brain_gateway 192.0.2.1",
    "split_brain_witness http://w.example:8080/alive?x=1",
    "split_brain_timeout 5",
  );
  assert.ok(isUsable && splitBrain?.gateway !== undefined);
  assert.equal(printIp(splitBrain.gateway), "192.0.2.1");
  const { kind, host, port, path } = splitBrain.witness ?? assert.fail();
  assert.deepEqual([kind, host, port, path, splitBrain.validMs], ["http", "w.example", 8080, "/alive?x=1", 5000]);
});

test("a guard that is not there makes the file unusable", () => {
  for (const [lines, message] of [
    [["split_brain_policy safe"], /needs a split_brain_gateway or a split_brain_witness/],
    [["split_brain_policy sure"], /unknown split_brain_policy 'sure'/],
    [["split_brain_policy safe", "split_brain_gateway gw"], /split_brain_gateway 'gw' is no address/],
    [["split_brain_policy safe", "split_brain_witness w"], /cannot understand split_brain_witness 'w'/],
    [["split_brain_policy safe", "split_brain_gateway 192.0.2.1", "priority 255"], /incompatible with priority 255/],
  ] as const) {
    const { isUsable, said } = load(...lines);
    assert.match(said, message);
    assert.equal(isUsable, false, lines.join());
  }
});

test("a witness is a scheme, a host, a port and a path", () => {
  const read = (text: string) => {
    const witness = readWitness(text);
    return witness && [witness.kind, witness.host, witness.port, witness.path];
  };
  assert.deepEqual(read("tcp://192.0.2.1:22"), ["tcp", "192.0.2.1", 22, ""]);
  assert.deepEqual(read("http://w"), ["http", "w", 80, "/"]);
  assert.deepEqual(read("dns://192.0.2.53/example.org"), ["dns", "192.0.2.53", 53, "example.org"]);
  assert.deepEqual(read("etcd://[2001:db8::1]/vip/web"), ["etcd", "2001:db8::1", 2379, "vip/web"]);
  for (const text of ["tcp://h", "tcp://h:1/x", "dns://h", "etcd://h/", "http://[xyz]/", "ftp://h:1", "tcp://h:70000"])
    assert.equal(read(text), undefined, text);
});
