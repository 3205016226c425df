import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { printDuration, printStatus } from "../admin/print-status.ts";
import type { VrrpStatus } from "../admin/status.ts";
import { exampleBfd } from "../bfd/example.ts";
import { exampleInstance } from "../vrrp/example.ts";
import type { HandoverResult } from "../vrrp/handovers.ts";
import type { NodeOrder } from "./node-orders.ts";
import { serversStatus } from "./servers-status.ts";
import { askStatus, orderNode, StatusSocket } from "./status-socket.ts";
import type { ProcessReport } from "./vrrp-messages.ts";
import { vrrpStatus } from "./vrrp-status.ts";

const folder = mkdtempSync(path.join(tmpdir(), "tandem-status-"));
after(() => rmSync(folder, { recursive: true }));

const report: ProcessReport = {
  partners: [
    {
      name: "lb-a",
      version: "0.1.0",
      address: "192.168.50.133",
      interface: "eth0",
      detours4: true,
      detours6: false,
      isDrained: false,
      routers: [{ vrid: 33, family: 4, role: "active", priority: 100, left: undefined }],
    },
  ],
  handovers: [{ instances: ["VI_1"], side: "giver", phase: "draining", partner: "lb-a", left: 3, endsInMs: 61_000 }],
  isDrained: false,
  routers: [
    {
      name: "VI_1",
      role: "backup",
      sinceMs: Date.now() - 65_000,
      reason: "192.168.50.133 has the higher priority 100",
      effectivePriority: 70,
      activeRouter: { address: "192.168.50.133", priority: 100 },
      source: "192.168.50.134",
      activeIntervalMs: 1000,
      deadlineInMs: 3000,
      faults: [],
      standsBackAt: undefined,
      flaps: undefined,
      counters: { advertsReceived: 5 },
      drops: { authFailure: 2 },
    },
  ],
  groups: [],
  scripts: [{ name: "chk", health: "down" }],
  bfds: [
    {
      name: "peer",
      state: "Up",
      remoteState: "Up",
      localDiscriminator: 1,
      remoteDiscriminator: 2,
      localDiagnostic: "No Diagnostic",
      remoteDiagnostic: "No Diagnostic",
      remoteMinTxUs: 10_000,
      remoteMinRxUs: 10_000,
      remoteDemand: false,
      remoteMultiplier: 5,
      isPolling: false,
      localTxUs: 10_000,
      remoteTxUs: 10_000,
      localDetectionUs: 50_000,
      remoteDetectionUs: 50_000,
      lastSeenMs: 1000,
      hasSendError: false,
      sent: 1,
      received: 1,
      changes: 1,
    },
  ],
};

function status(): VrrpStatus {
  const config = {
    syncGroups: [],
    instances: [exampleInstance({ priority: 90 })],
    scripts: [{ name: "chk" }],
    trackProcesses: [],
    bfds: [exampleBfd()],
  };
  return vrrpStatus(config as never, report, {
    pid: 7,
    restarts: 1,
    scripts: new Map([["chk", { succeeded: false, result: "exited with status 1", endedMs: 0, durationMs: 12 }]]),
    processCounts: new Map(),
    fileValues: new Map(),
    upstreams: new Map(),
  });
}

test("a status document arrives through the socket and reads well", async () => {
  const more = { isEnabled: true, weight: 0, tries: 0, lastStatus: 0, lastRunMs: 0 };
  const file = path.join(folder, "a.sock");
  const http = {
    masterPid: 1,
    workers: [{ pid: 2, connections: 3, requests: 4 }],
    connections: 3,
    accepted: 9,
    requests: 4,
    upstreams: [
      {
        name: "app",
        peers: [
          {
            name: "192.0.2.1:80",
            backup: false,
            state: "unhealthy",
            connections: 0,
            check: {
              checks: 7,
              failures: 3,
              unhealthyTimes: 1,
              at: new Date().toISOString(),
              why: "checking status code: answer: 500",
            },
          },
          { name: "192.0.2.2:80", backup: true, state: "up", connections: 2, check: null },
        ],
      },
    ],
  };
  const servers = serversStatus(
    {
      virtualServers: [
        {
          name: "[10.0.0.1]:tcp:80",
          hasQuorum: false,
          isSorry: true,
          servers: [
            {
              name: "[10.0.0.2]:tcp:80",
              isAlive: false,
              weight: 3,
              failed: 1,
              isSet: false,
              checkers: [
                { kind: "TCP_CHECK", isUp: false, hasRun: true, ...more },
                { kind: "HTTP_GET", isUp: true, hasRun: false, ...more },
              ],
            },
            { name: "[10.0.0.3]:tcp:80", isAlive: true, weight: 1, failed: 0, isSet: true, checkers: [] },
          ],
        },
      ],
    },
    { pid: 8, restarts: 2, method: "nftables" },
  );
  const socket = new StatusSocket(file, {
    vrrp: async () => status(),
    http: () => http,
    servers: async () => servers,
  });
  await socket.open();
  const document = await askStatus(file);
  assert.deepEqual(document.vrrp, JSON.parse(JSON.stringify(status())));
  assert.deepEqual(document.http, http);
  assert.deepEqual(document.servers, servers);
  const text = printStatus(document);
  assert.match(text, /^VI_1: BACKUP for 1 min 5 s, because: 192\.168\.50\.133 has the higher priority 100$/m);
  assert.match(text, /priority 70 \(configured 90\), active router: 192\.168\.50\.133 \(priority 100\)/);
  assert.match(text, /addresses held: none \(of 192\.168\.50\.130\/32\)/);
  assert.match(text, /adverts dropped: authFailure 2/);
  assert.match(text, /^partner lb-a: 192\.168\.50\.133 on eth0, Tandem 0\.1\.0, keeps our connections \(IPv4\)$/m);
  assert.match(text, /^ {2}VRID 33 IPv4: MASTER, priority 100$/m);
  assert.match(text, /^hand-over of VI_1 to lb-a: 3 connections go on here, for at most 1 min 1 s$/m);
  assert.match(text, /script chk: FAILED \(exited with status 1, took 12 ms\)/);
  assert.match(text, /bfd peer: ok \(Up, neighbour Up, detection time 50 ms\)/);
  assert.match(text, /workers \(connections\): 2 \(3\)/);
  assert.match(text, /^upstream app: 1 of 2 peers up$/m);
  assert.match(
    text,
    /192\.0\.2\.1:80: unhealthy, .*; last check .* ago failed while checking status code: answer: 500; 3 of 7 /,
  );
  assert.match(text, /192\.0\.2\.2:80 \(backup\): up, 2 connections; not checked/);
  assert.match(text, /^Virtual servers by nftables, checker process: pid 8, restarted 2 times$/m);
  assert.match(
    text,
    /^virtual server \[10\.0\.0\.1\]:tcp:80: 1 of 2 servers alive, quorum LOST, the sorry server serves$/m,
  );
  assert.match(text, /^ {2}\[10\.0\.0\.2\]:tcp:80: DOWN, weight 3; TCP_CHECK FAILED, HTTP_GET no result yet$/m);
  assert.match(text, /^ {2}\[10\.0\.0\.3\]:tcp:80: alive, weight 1; not checked$/m);
  socket.close();
  assert.equal(existsSync(file), false);
});

test("an order is obeyed, what is none is refused, and whoever says nothing gets the status", async () => {
  const file = path.join(folder, "orders.sock");
  const orders: NodeOrder[] = [];
  const result: HandoverResult = { instances: ["VI_1"], isMoved: true, how: "hitless", to: "b", reason: "" };
  const socket = new StatusSocket(file, {
    obey: async (order) => {
      orders.push(order);
      return { results: [result] };
    },
  });
  await socket.open();
  const say = (text: string, ends: boolean): Promise<string> =>
    new Promise((resolve) => {
      const client = net.connect({ path: file, allowHalfOpen: true }, () => {
        if (text !== "") client.write(text);
        if (ends) client.end();
      });
      let heard = "";
      client.setEncoding("utf8");
      client.on("data", (part) => (heard += part));
      client.on("end", () => {
        client.end();
        resolve(heard);
      });
    });
  const order: NodeOrder = { order: "handover", instances: ["VI_1"], limitMs: 5, mayLower: true };
  assert.deepEqual(await orderNode(file, order), { results: [result] });
  assert.deepEqual(await orderNode(file, { order: "drain", isDrained: true, limitMs: undefined }), {
    results: [result],
  });
  assert.deepEqual(orders, [order, { order: "drain", isDrained: true, limitMs: undefined }]);
  for (const [text, ends] of [
    ["", false],
    ["", true],
    ["status", true],
    ["status\n", false],
  ] as const)
    assert.match(await say(text, ends), /"host"/, JSON.stringify(text));
  for (const text of ["rubbish\n", "[]\n", '{"order":"dance"}\n', '{"order":"handover","limitMs":-1}\n'])
    assert.match(await say(text, false), /^{"error":"/, text);
  socket.close();
  const none = new StatusSocket(file, {});
  await none.open();
  await assert.rejects(orderNode(file, order), /no VRRP runs on this node/);
  none.close();
});

test("an order that was not heard in time is given again, and it is said when it never is", async () => {
  const place = path.join(folder, "late.sock");
  const answers = ['{"version":"x"}', '{"version":"x"}', '{"results":[]}'];
  const server = net.createServer((client) => client.end(answers.shift() ?? '{"version":"x"}'));
  await new Promise<void>((resolve) => server.listen(place, resolve));
  const order: NodeOrder = { order: "handover", instances: undefined, limitMs: undefined, mayLower: true };
  assert.deepEqual(await orderNode(place, order), { results: [] });
  await assert.rejects(orderNode(place, order), /has not heard what was asked, so nothing has been done/);
  server.close();
});

test("a socket that another program answers on is left alone; a dead one is replaced", async () => {
  const file = path.join(folder, "b.sock");
  const leave = `require("net").createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", leave]);
  assert.ok(existsSync(file));
  const first = new StatusSocket(file, {});
  await first.open();
  await assert.rejects(new StatusSocket(file, {}).open(), /in use/);
  first.close();
  await assert.rejects(askStatus(file), /no Tandem answers/);
});

test("a file that is no socket is nobody's to remove", async () => {
  const file = path.join(folder, "precious");
  writeFileSync(file, "data");
  await assert.rejects(new StatusSocket(file, {}).open(), /precious is there already and no socket/);
  assert.equal(readFileSync(file, "utf8"), "data");
});

test("durations have two units at most", () => {
  assert.equal(printDuration(0), "0 s");
  assert.equal(printDuration(65_000), "1 min 5 s");
  assert.equal(printDuration(90_061_000), "1 d 1 h");
});
