import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, found } from "../subject.cases.ts";

test("an interface that is there with the source address is fine, and offline nothing is asked", () => {
  assert.deepEqual(found("interface-missing", { facts: factsOf({}) }), []);
  assert.deepEqual(found("interface-missing", {}), []);
});

test("a missing interface is an error on the node, and a warning on what may be another machine", () => {
  const interfaces = [{ name: "ens3", addresses: ["10.0.0.1"], isRunning: true }];
  assert.equal(
    found("interface-missing", { facts: factsOf({ interfaces }) })[0]?.severity,
    "error",
    "the host name is the router_id",
  );
  const [finding] = found("interface-missing", { facts: factsOf({ interfaces, hostName: "laptop" }) });
  assert.equal(finding?.severity, "warning");
  assert.match(finding?.why ?? "", /laptop, may be another one than a: then use --offline/);
});

test("a source address that another interface has is said so", () => {
  const interfaces = [
    { name: "eth0", addresses: ["10.0.0.1"], isRunning: true },
    { name: "eth1", addresses: ["192.168.50.133"], isRunning: true },
  ];
  const [finding] = found("interface-missing", { facts: factsOf({ interfaces }) });
  assert.match(finding?.why ?? "", /It is on eth1; eth0 has 10\.0\.0\.1/);
});

test("an interface that is down is said so", () => {
  const interfaces = [{ name: "eth0", addresses: ["192.168.50.133"], isRunning: false }];
  assert.match(
    found("interface-missing", { facts: factsOf({ interfaces }) })[0]?.title ?? "",
    /down or has no carrier/,
  );
});
