import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp, sameNetwork } from "../base/ip.ts";
import { AddressTable, rangeOf } from "./address-table.ts";
import { type Cidr, parseCidr } from "./networks.ts";

function ip(text: string): Uint8Array {
  return parseIp(text) as Uint8Array;
}

function table(sizeBytes: 4 | 16, networks: readonly string[]): AddressTable<string> {
  return AddressTable.of(
    sizeBytes,
    networks.map((text) => rangeOf(parseCidr(text) as Cidr, text)),
  );
}

test("the innermost network of an address holds, to both of its ends", () => {
  const ipv4 = table(4, ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "192.0.2.0/31", "255.255.255.0/24"]);
  const answers = {
    "9.255.255.255": undefined,
    "10.0.0.0": "10.0.0.0/8",
    "10.1.0.0": "10.1.0.0/16",
    "10.1.2.2": "10.1.2.0/24",
    "10.1.2.3": "10.1.2.3",
    "10.1.2.4": "10.1.2.0/24",
    "10.1.3.0": "10.1.0.0/16",
    "10.2.0.0": "10.0.0.0/8",
    "11.0.0.0": undefined,
    "192.0.2.1": "192.0.2.0/31",
    "192.0.2.2": undefined,
    "255.255.255.255": "255.255.255.0/24",
  };
  for (const [address, network] of Object.entries(answers)) assert.equal(ipv4.find(ip(address)), network, address);
});

test("addresses of 16 bytes are found, with a network for all", () => {
  const ipv6 = table(16, ["::/0", "2001:db8::/32", "2001:db8:0:1::/64", "::1"]);
  assert.equal(ipv6.find(ip("::")), "::/0");
  assert.equal(ipv6.find(ip("::1")), "::1");
  assert.equal(ipv6.find(ip("2001:db8:ffff::1")), "2001:db8::/32");
  assert.equal(ipv6.find(ip("2001:db8:0:1:8000::")), "2001:db8:0:1::/64");
  assert.equal(ipv6.find(ip("ffff::")), "::/0");
});

test("100,000 networks are built and found", () => {
  const networks = Array.from({ length: 100_000 }, (_, i) => `${10 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/25`);
  const big = table(4, networks);
  for (let i = 0; i < networks.length; i += 777) {
    const address = (networks[i] as string).replace("0/25", "");
    assert.equal(big.find(ip(`${address}127`)), networks[i]);
    assert.equal(big.find(ip(`${address}128`)), undefined);
  }
  assert.equal(big.find(ip("0.0.0.0")), undefined);
  assert.equal(big.find(ip("255.255.255.255")), undefined);
});

test("an empty table has nothing", () => {
  assert.equal(AddressTable.of<string>(4, []).find(ip("192.0.2.1")), undefined);
});

const FILLING = Array.from({ length: 2000 }, (_, i) =>
  rangeOf(parseCidr(`60.4.${i >> 5}.${(i & 31) * 8}`) as Cidr, "x"),
);

test("a table of random networks finds what a search through all of them finds", () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => bytes.map((byte) => byte & 0xc3));
  const network = fc.tuple(address, fc.nat(32)).map(([bytes, length]) => {
    const text = `${bytes.join(".")}/${length}`;
    const { address: masked, prefixLength } = parseCidr(text) as Cidr;
    return { address: masked, prefixLength };
  });
  fc.assert(
    fc.property(fc.array(network, { maxLength: 30 }), fc.array(address, { maxLength: 20 }), (networks, addresses) => {
      const unique = new Map(networks.map((one) => [`${one.address.join(".")}/${one.prefixLength}`, one]));
      // Enough of them elsewhere make it a large table.
      const built = AddressTable.of(4, [
        ...[...unique].map(([name, one]) => rangeOf(one, name)),
        ...(networks.length % 2 === 0 ? [] : FILLING),
      ]);
      for (const one of [...addresses, ...networks.map(({ address: first }) => first)]) {
        let best: string | undefined;
        let longest = -1;
        for (const [name, cidr] of unique) {
          if (cidr.prefixLength <= longest || !sameNetwork(one, cidr.address, cidr.prefixLength)) continue;
          best = name;
          longest = cidr.prefixLength;
        }
        assert.equal(built.find(one), best);
      }
    }),
  );
});
