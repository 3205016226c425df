import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIptables } from "./iptables.ts";
import { passage, TCP } from "./packet-filter.ts";

const verdict = (rules: string, packet: { protocol: number; port?: number }, policy = "DROP"): string =>
  passage(
    parseIptables(
      `*nat\n-A INPUT -j DROP\nCOMMIT\n*filter\n:INPUT ${policy} [0:0]\n:LOGGING - [0:0]\n${rules}\nCOMMIT\n`,
    ),
    packet,
  ).verdict;
const PORT = { protocol: TCP, port: 88 };
const VRRP = { protocol: 112 };

test("the tutorial's rule opens its port, and nothing opens VRRP", () => {
  const rules =
    "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m state --state NEW -m tcp -p tcp --dport 88 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited";
  assert.equal(verdict(rules, PORT, "ACCEPT"), "accepted");
  assert.equal(verdict(rules, VRRP, "ACCEPT"), "dropped");
});

test("protocols by name and number, port lists and ranges, and negation are read", () => {
  assert.equal(verdict("-A INPUT -p vrrp -j ACCEPT", VRRP), "accepted");
  assert.equal(verdict("-A INPUT -p 112 -j ACCEPT", VRRP), "accepted");
  assert.equal(verdict("-A INPUT -p tcp -m multiport --dports 22,80:90 -j ACCEPT", PORT), "accepted");
  assert.equal(verdict("-A INPUT ! -p tcp -j ACCEPT", PORT), "dropped");
});

test("chains are followed, LOG goes on, RETURN comes back", () => {
  assert.equal(
    verdict(
      '-A INPUT -j LOGGING\n-A LOGGING -j LOG --log-prefix "x y"\n-A LOGGING -p tcp -j RETURN\n-A LOGGING -j ACCEPT',
      PORT,
    ),
    "dropped",
  );
  assert.equal(verdict("-A INPUT -j LOGGING\n-A LOGGING -p 112 -j ACCEPT", VRRP), "accepted");
});

test("a doubt that would change nothing is none", () => {
  assert.equal(verdict("-A INPUT -s 10.0.0.0/8 -j DROP", PORT), "dropped");
  assert.equal(verdict("-A INPUT -s 10.0.0.0/8 -j ACCEPT", PORT), "unknown");
  assert.equal(verdict("-A INPUT -m limit --limit 1/s -j DROP", PORT, "ACCEPT"), "unknown");
});

test("a chain that jumps to itself ends", () => {
  assert.equal(verdict("-A INPUT -j LOGGING\n-A LOGGING -j LOGGING", PORT), "unknown");
});
