import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf } from "./example.ts";
import { Pool, type RealServerState } from "./pool.ts";

interface Told {
  readonly pool: Pool;
  readonly logs: string[];
  readonly events: string[];
  server(index: number): RealServerState;
  destinations(): string;
}

function poolOf(service: string, servers: readonly string[] = ["", "", ""]): Told {
  const reals = servers.map((body, i) => `real_server 10.0.0.${i + 1} 80 {\n${body}\n}`).join("\n");
  const { virtualServers } = configOf(
    `virtual_server 10.0.0.100 80 {\nlvs_sched wrr\nlvs_method NAT\nprotocol TCP\n${service}\n${reals}\n}`,
  );
  const logs: string[] = [];
  const events: string[] = [];
  const [settings] = virtualServers;
  assert.ok(settings);
  const pool = new Pool(settings, {
    log: (message) => logs.push(message.replaceAll("[10.0.0.100]:tcp:80", "VS")),
    notify: ({ line, command }) =>
      events.push(`${line.replaceAll("[10.0.0.100]:tcp:80", "VS")} ${command?.text ?? ""}`.trim()),
    changed: () => {},
  });
  return {
    pool,
    logs,
    events,
    server: (index) => pool.servers[index] as RealServerState,
    destinations: () =>
      pool
        .destinations()
        .map(({ ip, weight }) => `${ip[3]}*${weight}`)
        .join(" "),
  };
}

test("at the start all servers serve and quorum is gained", () => {
  const { pool, logs, events, destinations } = poolOf("quorum_up /bin/up");
  pool.start(false);
  assert.equal(destinations(), "1*1 2*1 3*1");
  assert.deepEqual(logs, ["Gained quorum 1+0=1 <= 3 for VS VS"]);
  assert.deepEqual(events, ["VS VS UP /bin/up"]);
});

test("with rs_init_notifies servers that are up from the start are told about", () => {
  const { pool, events } = poolOf("", ["notify_up /bin/u"]);
  pool.start(true);
  assert.deepEqual(events, ["RS [10.0.0.1]:tcp:80 VS UP /bin/u", "VS VS UP"]);
});

test("a server is out with its first failed checker, and in again when none has failed", () => {
  const { pool, server, destinations, events, logs } = poolOf("", ["notify_down /bin/d\nnotify_up /bin/u", ""]);
  pool.start(false);
  events.length = 0;
  logs.length = 0;
  pool.checked(server(0), false);
  pool.checked(server(0), false);
  assert.equal(destinations(), "2*1");
  pool.checked(server(0), true);
  assert.equal(destinations(), "2*1");
  pool.checked(server(0), true);
  assert.equal(destinations(), "1*1 2*1");
  assert.deepEqual(events, ["RS [10.0.0.1]:tcp:80 VS DOWN /bin/d", "RS [10.0.0.1]:tcp:80 VS UP /bin/u"]);
  assert.deepEqual(logs, [
    "Removing service [10.0.0.1]:tcp:80 from VS VS",
    "Adding service [10.0.0.1]:tcp:80 to VS VS",
  ]);
});

test("hysteresis keeps quorum until it is missed by more, and away until it is exceeded", () => {
  const { pool, server, logs } = poolOf("quorum 3\nhysteresis 1", ["", "", "", "", ""]);
  pool.start(false);
  const weights: [number, boolean][] = [];
  const look = (): void => void weights.push([pool.liveWeight, pool.hasQuorum]);
  for (const index of [0, 1, 2, 3]) {
    pool.checked(server(index), false);
    look();
  }
  for (const index of [0, 1, 2, 3]) {
    pool.checked(server(index), true);
    look();
  }
  assert.deepEqual(weights, [
    [4, true],
    [3, true],
    [2, true],
    [1, false],
    [2, false],
    [3, false],
    [4, true],
    [5, true],
  ]);
  assert.deepEqual(
    logs.filter((line) => /quorum/.test(line)),
    ["Gained quorum 3+1=4 <= 5 for VS VS", "Lost quorum 3-1=2 > 1 for VS VS", "Gained quorum 3+1=4 <= 4 for VS VS"],
  );
});

test("the sorry server takes the place of all while there is no quorum", () => {
  const { pool, server, destinations, logs } = poolOf("quorum 2\nsorry_server 10.0.0.9 80", ["", ""]);
  pool.start(false);
  logs.length = 0;
  pool.checked(server(0), false);
  assert.ok(pool.isSorry);
  assert.equal(destinations(), "9*1");
  pool.checked(server(0), true);
  assert.equal(destinations(), "1*1 2*1");
  assert.deepEqual(logs, [
    "Removing service [10.0.0.1]:tcp:80 from VS VS",
    "Lost quorum 2-0=2 > 1 for VS VS",
    "Adding sorry server [10.0.0.9]:tcp:80 to VS VS",
    "Removing alive servers from the pool for VS VS",
    "Adding service [10.0.0.1]:tcp:80 to VS VS",
    "Gained quorum 2+0=2 <= 2 for VS VS",
    "Removing sorry server [10.0.0.9]:tcp:80 from VS VS",
    "Adding alive servers to the pool for VS VS",
  ]);
});

test("inhibit_on_failure and sorry_server_inhibit keep servers with weight 0", () => {
  const { pool, server, destinations, logs } = poolOf("sorry_server 10.0.0.9 80\nsorry_server_inhibit", [
    "inhibit_on_failure",
    "",
  ]);
  pool.start(false);
  assert.equal(destinations(), "1*1 2*1 9*0");
  pool.checked(server(0), false);
  assert.equal(destinations(), "1*0 2*1 9*0");
  pool.checked(server(1), false);
  assert.equal(destinations(), "1*0 9*1");
  assert.match(logs.join("\n"), /Disabling service \[10\.0\.0\.1\]:tcp:80 of VS/);
  assert.match(logs.join("\n"), /Enabling sorry server/);
});

test("a sorry server that is a real server is there once", () => {
  const { pool, server, destinations } = poolOf("quorum 2\nsorry_server 10.0.0.1 80", ["", ""]);
  pool.start(false);
  assert.equal(destinations(), "1*1 2*1");
  pool.checked(server(1), false);
  assert.equal(destinations(), "1*1");
});

test("servers that are down from the start bring the sorry server at once", () => {
  const { pool, server, destinations, logs } = poolOf("sorry_server 10.0.0.9 80", [""]);
  server(0).failed = 1;
  pool.start(false);
  assert.equal(destinations(), "9*1");
  assert.match(logs[0] ?? "", /^Starting with quorum down 1-0=1 > 0/);
});

test("another weight is told, counts for quorum, and stays within what a weight can be", () => {
  const { pool, server, destinations, logs } = poolOf("quorum 4", ["weight 3", "weight 2"]);
  pool.start(false);
  logs.length = 0;
  pool.reweigh(server(0), 1);
  assert.equal(destinations(), "1*1 2*2");
  assert.deepEqual(logs, [
    "Changing weight from 3 to 1 for active service [10.0.0.1]:tcp:80 of VS VS",
    "Lost quorum 4-0=4 > 3 for VS VS",
  ]);
  pool.reweigh(server(0), -5);
  assert.equal(destinations(), "1*0 2*2");
  pool.reweigh(server(0), 2 ** 40);
  assert.equal(destinations(), "1*2147483647 2*2");
});

test("at the end notifies go out with omega alone", () => {
  for (const omega of ["", "omega"]) {
    const { pool, events, logs } = poolOf(`${omega}\nquorum_down /bin/q`, ["notify_down /bin/d"]);
    pool.start(false);
    events.length = 0;
    pool.end(true);
    assert.deepEqual(events, omega === "" ? [] : ["RS [10.0.0.1]:tcp:80 VS DOWN /bin/d", "VS VS DOWN /bin/q"]);
    assert.equal(logs.at(-1), "Shutting down service [10.0.0.1]:tcp:80 from VS VS");
  }
});
