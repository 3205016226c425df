import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { exampleAddress, exampleInstance } from "../vrrp/example.ts";
import { noAcceptRules } from "./node-settings.ts";

const instances = [
  exampleInstance({ accept: false }),
  exampleInstance({ accept: true, addresses: [exampleAddress("192.0.2.1")] }),
  exampleInstance({ accept: false, priority: 255, addresses: [exampleAddress("192.0.2.2")] }),
  exampleInstance({ accept: false, family: 6, addresses: [exampleAddress("fe80::1"), exampleAddress("2001:db8::1")] }),
];

test("packets to the addresses of instances with no_accept are dropped, neighbour discovery goes on, owners accept", () => {
  assert.equal(
    noAcceptRules(instances),
    `table inet tandem_no_accept {
  chain input {
    type filter hook input priority -1; policy accept;
    ip daddr { 192.168.50.130 } drop
    ip6 daddr { fe80::1, 2001:db8::1 } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip6 daddr { fe80::1, 2001:db8::1 } drop
  }
}
`,
  );
  assert.equal(noAcceptRules([exampleInstance()]), undefined);
});

const hasNft = spawnSync("unshare", ["--net", "nft", "list", "ruleset"]).status === 0;

test("nft accepts the rules", { skip: hasNft ? false : "needs root and nft" }, () => {
  const script = `table inet tandem_no_accept\ndelete table inet tandem_no_accept\n${noAcceptRules(instances)}`;
  const result = spawnSync("unshare", ["--net", "nft", "-f", "-"], { input: script, encoding: "utf8" });
  assert.equal(result.stderr, "");
  assert.equal(result.status, 0);
});
