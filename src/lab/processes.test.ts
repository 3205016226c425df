import assert from "node:assert/strict";
import { test } from "node:test";
import { processesOf } from "./processes.ts";
import type { Part } from "./protocol.ts";

const TANDEM = [
  "/usr/bin/node agent.js",
  "tandem: up --nginx /etc/nginx/nginx.conf",
  "nginx: worker process",
  "nginx: spare worker process",
  "nginx: cache manager process",
  "keepalived: vrrp process",
];
const ORIGINALS = ["nginx: master process nginx", "nginx: worker process", "keepalived -n", "keepalived -n"];

/** Which of the lines belong to the part. The last one is a child of the one before it. */
function linesOf(part: Part, lines: readonly string[]): readonly string[] {
  const all = lines.map((commandLine, i) => ({ pid: 100 + i, parent: i < lines.length - 1 ? 1 : 99 + i, commandLine }));
  return processesOf(part, all, new Set([100 + lines.indexOf("/usr/bin/node agent.js")])).map(
    ({ commandLine }) => commandLine,
  );
}

test("a part is found by the titles of either implementation, without what is the lab's own", () => {
  for (const [part, tandem, originals] of [
    ["all", TANDEM.slice(1), ORIGINALS],
    ["vrrp", ["keepalived: vrrp process"], ["keepalived -n"]],
    ["http", ["nginx: worker process", "nginx: cache manager process"], ORIGINALS.slice(0, 2)],
    ["http-with-spares", TANDEM.slice(2, 5), ORIGINALS.slice(0, 2)],
    ["http-workers", ["nginx: worker process"], ["nginx: worker process"]],
  ] as const) {
    assert.deepEqual(linesOf(part, TANDEM), tandem, part);
    assert.deepEqual(linesOf(part, ORIGINALS), originals, part);
  }
});
