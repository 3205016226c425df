import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNftables } from "./nftables.ts";
import { passage, TCP } from "./packet-filter.ts";

/** What nft 1.0.6 prints for: lo and established accepted, 10.9/16 dropped, some ports, vrrp in a chain of its own, 443 rejected. */
const RULESET =
  '{"nftables": [{"table": {"family": "inet", "name": "filter"}}, {"chain": {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}, {"chain": {"family": "inet", "table": "filter", "name": "extra"}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, {"accept": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.9.0.0", "len": 16}}}}, {"drop": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 80, {"range": [8000, 8100]}]}}}, {"accept": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "icmp"}}, {"accept": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": [{"jump": {"target": "extra"}}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "extra", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "vrrp"}}, {"accept": null}]}}, {"rule": {"family": "inet", "table": "filter", "chain": "extra", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 443}}, {"counter": {"packets": 0, "bytes": 0}}, {"reject": {"type": "icmpx", "expr": "port-unreachable"}}]}}]}';
const chains = parseNftables(RULESET) ?? [];
const tcp = (port: number): string => passage(chains, { protocol: TCP, port }).verdict;

test("the base chain and the chains that it jumps to are read", () => {
  assert.deepEqual(
    chains.map(({ name, isBase, policy }) => [name, isBase, policy]),
    [
      ["inet filter input", true, "drop"],
      ["inet filter extra", false, "accept"],
    ],
  );
});

test("a port that nothing accepts is dropped by the policy, one that is rejected by its rule", () => {
  assert.deepEqual(passage(chains, { protocol: TCP, port: 88 }), {
    verdict: "dropped",
    why: "nothing in inet filter input accepts it, and the policy is drop",
    chain: "inet filter input",
  });
  assert.match(passage(chains, { protocol: TCP, port: 443 }).why, /tcp dport 443/);
});

test("a rule about addresses that would decide otherwise makes the answer unknown", () => {
  assert.equal(tcp(80), "unknown", "10.9.0.0/16 is dropped before");
  assert.equal(passage(chains, { protocol: 112 }).verdict, "unknown");
});

test("without that rule ports, ranges and protocols are accepted", () => {
  const open = chains.map((chain) => ({ ...chain, rules: chain.rules.filter(({ text }) => !text.includes("saddr")) }));
  assert.equal(passage(open, { protocol: TCP, port: 80 }).verdict, "accepted");
  assert.equal(passage(open, { protocol: TCP, port: 8055 }).verdict, "accepted");
  assert.equal(passage(open, { protocol: TCP, port: 8101 }).verdict, "dropped");
  assert.equal(passage(open, { protocol: 112 }).verdict, "accepted");
});

test("what is no output of nft is nothing", () => {
  assert.equal(parseNftables(""), undefined);
  assert.equal(parseNftables("[]"), undefined);
  assert.deepEqual(parseNftables('{"nftables": [{"metainfo": {}}]}'), []);
});
