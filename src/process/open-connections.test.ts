import assert from "node:assert/strict";
import { test } from "node:test";
import { printIp } from "../base/ip.ts";
import { parseTcpTable } from "./open-connections.ts";

test("open connections of a table, not listeners and not what has ended", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
  const line = (local: string, remote: string, state: string): string =>
    `   1: ${local}:0050 ${remote}:9C40 ${state} 00000000:00000000`;
  const words = (text: string): string =>
    new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? (text.match(/../g) ?? []).reverse().join("") : text;
  const vip = words("C0A83282");
  const mapped = `00000000${"00000000"}${words("0000FFFF")}${words("C0A83207")}`;
  const table = [
    head,
    line(vip, words("C0A83201"), "01"),
    line(vip, "00000000", "0A"),
    line(vip, words("C0A83202"), "06"),
    line(mapped, mapped, "08"),
    "",
  ].join("\n");
  assert.deepEqual(
    parseTcpTable(table).map(({ local, remote }) => [printIp(local), printIp(remote)]),
    [
      ["192.168.50.130", "192.168.50.1"],
      ["192.168.50.7", "192.168.50.7"],
    ],
  );
});
