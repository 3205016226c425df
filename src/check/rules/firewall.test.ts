import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIptables } from "../iptables.ts";
import { firewallOf } from "../packet-filter.ts";
import { factsOf, found } from "../subject.cases.ts";

const firewall = (rules: string) =>
  firewallOf("iptables", parseIptables(`*filter\n:INPUT DROP [0:0]\n${rules}\nCOMMIT\n`));

test("a firewall that admits both is fine, and none is, too", () => {
  const open = firewall("-A INPUT -p vrrp -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 88 -j ACCEPT");
  assert.deepEqual(found("firewall", { facts: factsOf({ firewall: open }) }), []);
  assert.deepEqual(found("firewall", { facts: factsOf({}) }), []);
});

test("adverts and connections that are dropped are errors on the node", () => {
  const titles = found("firewall", { facts: factsOf({ firewall: firewall("") }) }).map(
    ({ severity, title }) => `${severity}: ${title}`,
  );
  assert.deepEqual(titles, [
    "error: The firewall here drops VRRP adverts (IP protocol 112)",
    "error: The firewall here drops new connections to port 88",
  ]);
});

test("what can't be judged is not claimed", () => {
  const doubtful = firewall("-A INPUT -s 192.168.50.0/24 -j ACCEPT");
  assert.deepEqual(found("firewall", { facts: factsOf({ firewall: doubtful }) }), []);
});
