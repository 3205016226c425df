import assert from "node:assert/strict";
import { test } from "node:test";
import { compareIp, parseIp, printIp, sameNetwork } from "./ip.ts";

test("addresses are printed as RFC 5952 says", () => {
  for (const [text, printed] of [
    ["192.168.50.130", "192.168.50.130"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80::130", "fe80::130"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
  ] as const) {
    const address = parseIp(text);
    assert.ok(address, text);
    assert.equal(printIp(address), printed);
  }
});

test("malformed addresses are refused", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.4.5",
    "1.2.3.x",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "g::",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
  ])
    assert.equal(parseIp(text), undefined, text);
});

test("addresses compare in network byte order", () => {
  assert.ok(compareIp(parseIp("10.0.0.2")!, parseIp("10.0.0.10")!) < 0);
  assert.ok(sameNetwork(parseIp("10.0.1.2")!, parseIp("10.0.1.130")!, 24));
  assert.ok(!sameNetwork(parseIp("10.0.1.2")!, parseIp("10.0.1.130")!, 25));
});
