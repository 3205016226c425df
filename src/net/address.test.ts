import assert from "node:assert/strict";
import { test } from "node:test";
import { type HostLookup, parseIp } from "../base/ip.ts";
import { printEndpoint } from "../io/listen.ts";
import { parseListenAddress, parseServerAddress } from "./address.ts";

const HOSTS: Readonly<Record<string, string>> = { localhost: "127.0.0.1 ::1", empty: "" };
const lookUp: HostLookup = (name) =>
  HOSTS[name]
    ?.split(" ")
    .map(parseIp)
    .filter((ip) => ip !== undefined);

function listens(text: string): string {
  const endpoints = parseListenAddress(text, 80, lookUp);
  return typeof endpoints === "string" ? endpoints : endpoints.map(printEndpoint).join(" ");
}

function server(text: string): string {
  const endpoints = parseServerAddress(text, 514, lookUp);
  return typeof endpoints === "string" ? endpoints : endpoints.map(printEndpoint).join(" ");
}

test("addresses to listen on are read in every form, others are refused with nginx's reason", () => {
  for (const [text, expected] of [
    ["80", "0.0.0.0:80"],
    ["8000-8002", "0.0.0.0:8000 0.0.0.0:8001 0.0.0.0:8002"],
    ["*:81", "0.0.0.0:81"],
    ["*", "0.0.0.0:80"],
    ["127.0.0.1:81-82", "127.0.0.1:81 127.0.0.1:82"],
    ["localhost", "127.0.0.1:80 [::1]:80"],
    ["localhost:81-82", "127.0.0.1:81 127.0.0.1:82 [::1]:81 [::1]:82"],
    ["empty:80", "host not found"],
    ["[::1]", "[::1]:80"],
    ["[::]:443-444", "[::]:443 [::]:444"],
    ["unix:/a b", "unix:/a b"],
    ["0", "invalid port"],
    ["65536", "invalid port"],
    ["9-8", "invalid port range"],
    ["1.2.3.4:", "invalid port"],
    [":80", "no host"],
    ["[]:80", "no host"],
    ["[::1", "invalid host"],
    ["[::1]80", "invalid host"],
    ["[zz]:80", "invalid IPv6 address"],
    ["a/b", "invalid host"],
    ["nowhere", "host not found"],
    ["8000-x", "host not found"],
    ["8000-8001-8002", "host not found"],
    ["99999999999999999999", "host not found"],
    ["unix:", "no path in the unix domain socket"],
    [`unix:/${"a".repeat(200)}`, "too long path in the unix domain socket"],
  ] as const)
    assert.equal(listens(text), expected, text);
});

test("an address to connect to has one port and a host, which may have several addresses", () => {
  for (const [text, expected] of [
    ["127.0.0.1", "127.0.0.1:514"],
    ["localhost:5140", "127.0.0.1:5140 [::1]:5140"],
    ["[::1]:1", "[::1]:1"],
    ["127.0.0.1:1-2", "invalid port"],
    ["*:1", "host not found"],
    ["5140", "host not found"],
    ["", "no host"],
  ] as const)
    assert.equal(server(text), expected, text);
});
