import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configOf, FakeWorld } from "../lvs/example.ts";
import { LvsNode } from "../lvs/node.ts";
import { reportLvs } from "../lvs/report.ts";
import { printCheckData } from "./keepalived-check-dump.ts";

const golden = (name: string): string =>
  readFileSync(new URL(`../../../test/golden/keepalived/${name}`, import.meta.url), "utf8");

/** Lines that say something of the program that printed them. */
const OWN = [
  /System is compiled with LVS/,
  /Regex options:/, // 2.2.7 names all of them
  /Regex ref count/,
  /Last ran/, // in local time
];

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !OWN.some((pattern) => pattern.test(line)))
    .map((line) => line.replace("'/usr/bin/", "'/bin/"));
}

test("the dump of virtual servers is keepalived's, line by line", () => {
  const config = configOf(golden("check-dump.conf"));
  const world = new FakeWorld();
  const node = new LvsNode(world.ports, config);
  node.session("b1", false);
  node.start();
  const text = printCheckData(config, reportLvs(node), {
    account: ({ user }) => (user?.user === "nobody" ? "65534:65534" : "0:0"),
    fileValue: () => 0,
  });
  const ours = linesOf(text.slice(text.indexOf("------< LVS Topology >------")));
  assert.deepEqual(ours, linesOf(golden("check-dump.data")));
});
