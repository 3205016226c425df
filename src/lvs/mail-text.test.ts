import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, FakeWorld } from "./example.ts";
import { checkText } from "./mail-text.ts";
import { LvsNode } from "./node.ts";

/** What keepalived 2.2.7 wrote, when each checker failed and when it passed. */
const WORDS = [
  ["TCP_CHECK {\n}", "=> TCP CHECK failed on service <=", "=> TCP CHECK succeed on service <="],
  ["UDP_CHECK {\n}", "=> UDP CHECK failed on service <=", "=> UDP CHECK succeed on service <="],
  ["PING_CHECK {\n}", "=> ICMP CHECK failed on service <=", "=> ICMP CHECK succeed on service <="],
  ["DNS_CHECK {\n}", "=> DNS_CHECK: failed on service <=", "=> DNS_CHECK: succeed on service <="],
  [
    "HTTP_GET {\nurl {\npath /\n}\n}",
    "=> CHECK failed on service : HTTP request failed <=",
    "=> CHECK succeed on service <=",
  ],
  ["SMTP_CHECK {\n}", "=> CHECK failed on service : WHY <=", "=> CHECK succeed on service <="],
  ["MISC_CHECK {\nmisc_path /bin/x\n}", "=> MISC CHECK failed on service <=", "=> MISC CHECK succeeded on service <="],
  ["BFD_CHECK {\nname b1\n}", "=> BFD CHECK b1 failed on service <=", "=> BFD CHECK b1 succeeded on service <="],
] as const;

const service = (body: string): string => `bfd_instance b1 {
neighbor_ip 10.0.0.2
}
virtual_server 10.0.0.1 80 {
lvs_sched rr
lvs_method NAT
protocol TCP
warmup 0
smtp_alert
real_server 10.0.0.2 80 {
${body}
}
}`;

for (const [block, failed, passed] of WORDS)
  test(`mail of ${block.split(" ", 1)[0]}`, () => {
    const checker = configOf(service(block)).virtualServers[0]?.realServers[0]?.checkers[0];
    assert.ok(checker !== undefined && checker.kind !== "FILE_CHECK");
    assert.equal(checkText(checker, false, { why: "WHY" }), failed);
    assert.equal(checkText(checker, true, { why: "" }), passed);
    if (checker.kind === "MISC_CHECK")
      assert.equal(
        checkText(checker, false, { why: "", isTimeout: true }),
        "=> MISC CHECK timed out on service <=",
        "a program that took too long",
      );
  });

test("a program's first success is written about, a connection's is not, and a timeout is called one", () => {
  const world = new FakeWorld();
  const node = new LvsNode(
    world.ports,
    configOf(service("MISC_CHECK {\nmisc_path /bin/x\nretry 0\n}\nTCP_CHECK {\n}")),
  );
  node.start();
  world.mails.length = 0;
  world.advance(1000);
  for (const probe of world.openProbes) probe.owner.onConnected();
  world.runs[0]?.done({ kind: "exited", status: 0 });
  world.advance(60_000);
  world.runs[1]?.done({ kind: "timed out" });
  assert.deepEqual(world.mails, [
    {
      subject: "Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - UP",
      body: "=> MISC CHECK succeeded on service <=",
    },
    { subject: "Virtualserver [10.0.0.1]:tcp:80 - DOWN", body: "=> Lost quorum 1+0=1 <= 0 <=" },
    {
      subject: "Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN",
      body: "=> MISC CHECK timed out on service <=",
    },
  ]);
});
