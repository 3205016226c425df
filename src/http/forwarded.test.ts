import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { printEndpoint } from "../io/listen.ts";
import type { Endpoint } from "../io/stream.ts";
import { inNetworks, type Network, parseCidr } from "../net/networks.ts";
import { forwardedAddress, parseForwarded } from "./forwarded.ts";

const FROM: Endpoint = { ip: parseIp("127.0.0.1") as Uint8Array, port: 1234 };

function networks(...texts: string[]): Network[] {
  return texts.map((text) => (text === "unix:" ? "unix" : (parseCidr(text) as Network)));
}

function client(values: readonly string[], recursive: boolean, trusted = networks("127.0.0.1", "192.0.2.0/24")) {
  const found = forwardedAddress(FROM, values, trusted, recursive);
  return found === undefined ? undefined : printEndpoint(found);
}

test("the last address counts", () => {
  assert.equal(client(["198.51.100.1"], false), "198.51.100.1:0");
  assert.equal(client(["198.51.100.1, 192.0.2.1"], false), "192.0.2.1:0");
  assert.equal(client(["198.51.100.1,192.0.2.1 , "], false), "192.0.2.1:0");
  assert.equal(client(["198.51.100.1", "192.0.2.1"], false), "192.0.2.1:0");
});

test("when recursive, the last address that is no trusted proxy counts, over several lines", () => {
  assert.equal(client(["203.0.113.1, 198.51.100.1, 192.0.2.1"], true), "198.51.100.1:0");
  assert.equal(client(["203.0.113.1, 198.51.100.1", "192.0.2.1, 192.0.2.2"], true), "198.51.100.1:0");
  assert.equal(client(["192.0.2.1, 192.0.2.2"], true), "192.0.2.1:0");
});

test("what can't be read ends the walk where it is", () => {
  assert.equal(client(["unknown"], true), undefined);
  assert.equal(client([""], true), undefined);
  assert.equal(client([",198.51.100.1"], true), undefined);
  assert.equal(client([",198.51.100.1, 192.0.2.1"], true), "192.0.2.1:0");
  assert.equal(client(["198.51.100.1, unknown, 192.0.2.1"], true), "192.0.2.1:0");
  assert.equal(client(["198.51.100.1", "unknown"], true), undefined);
  assert.equal(client(["198.51.100.1", "192.0.2.1, unknown, 192.0.2.2"], true), "192.0.2.2:0");
});

test("nobody is believed who is no trusted proxy", () => {
  assert.equal(client(["198.51.100.1"], true, networks("192.0.2.0/24")), undefined);
  assert.equal(client(["198.51.100.1"], true, networks("unix:")), undefined);
});

test("addresses may have ports", () => {
  const texts = {
    "192.0.2.1": "192.0.2.1:0",
    "192.0.2.1:80": "192.0.2.1:80",
    "2001:db8::1": "[2001:db8::1]:0",
    "[2001:db8::1]": "[2001:db8::1]:0",
    "[2001:db8::1]:80": "[2001:db8::1]:80",
    "192.0.2.1:0": undefined,
    "192.0.2.1:65536": undefined,
    "192.0.2.1:": undefined,
    "[2001:db8::1]80": undefined,
    "255.255.255.255": undefined,
    "unix:": undefined,
    a: undefined,
  };
  for (const [text, printed] of Object.entries(texts)) {
    const parsed = parseForwarded(text);
    assert.equal(parsed === undefined ? undefined : printEndpoint(parsed), printed, text);
  }
});

test("an IPv4 address inside an IPv6 one lies in IPv4 networks only", () => {
  const mapped: Endpoint = { ip: parseIp("::ffff:192.0.2.1") as Uint8Array, port: 1 };
  assert.equal(inNetworks(mapped, networks("192.0.2.0/24")), true);
  assert.equal(inNetworks(mapped, networks("::/0")), false);
  assert.equal(inNetworks({ path: "" }, networks("0.0.0.0/0", "::/0")), false);
  assert.equal(inNetworks({ path: "" }, networks("unix:")), true);
});

test("networks are read with their length, and bits behind it are told", () => {
  assert.deepEqual(parseCidr("192.0.2.5/24"), {
    address: Uint8Array.of(192, 0, 2, 0),
    prefixLength: 24,
    hasHostBits: true,
  });
  assert.equal(parseCidr("192.0.2.0/24")?.hasHostBits, false);
  assert.equal(parseCidr("0.0.0.0/0")?.prefixLength, 0);
  for (const text of ["192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "::/129", "192.0.2", "255.255.255.255", "a"])
    assert.equal(parseCidr(text), undefined, text);
});
