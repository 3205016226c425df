import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf } from "./example.ts";
import { Pool, type RealServerState } from "./pool.ts";

interface Told {
  readonly pool: Pool;
  readonly logs: string[];
  readonly events: string[];
  /** Subject and body, in a line. */
  readonly mails: string[];
  server(index: number): RealServerState;
  destinations(): string;
}

function poolOf(service: string, servers: readonly string[] = ["", "", ""], isWithoutCheckerMail = false): Told {
  const reals = servers.map((body, i) => `real_server 10.0.0.${i + 1} 80 {\n${body}\n}`).join("\n");
  const { virtualServers } = configOf(
    `virtual_server 10.0.0.100 80 {\nlvs_sched wrr\nlvs_method NAT\nprotocol TCP\n${service}\n${reals}\n}`,
  );
  const logs: string[] = [];
  const events: string[] = [];
  const mails: string[] = [];
  const [settings] = virtualServers;
  assert.ok(settings);
  const pool = new Pool(settings, {
    isWithoutCheckerMail,
    mail: ({ subject, body }) => mails.push(`${subject} ${body}`.replaceAll("[10.0.0.100]:tcp:80", "VS")),
    log: (message) => logs.push(message.replaceAll("[10.0.0.100]:tcp:80", "VS")),
    notify: ({ line, command }) =>
      events.push(`${line.replaceAll("[10.0.0.100]:tcp:80", "VS")} ${command?.text ?? ""}`.trim()),
    changed: () => {},
  });
  return {
    pool,
    logs,
    events,
    mails,
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

test("mail about quorum: in keepalived's words, at the start, lost, gained, and at the end with omega", () => {
  const three = poolOf("smtp_alert\nquorum 2\nhysteresis 1\nomega", ["", "", "smtp_alert off"]);
  three.pool.start(false);
  for (const index of [0, 1, 2]) three.pool.checked(three.server(index), false);
  for (const index of [0, 1, 2]) three.pool.checked(three.server(index), true);
  three.pool.end(true);
  assert.deepEqual(three.mails, [
    "Virtualserver VS - UP => Starting with quorum up 2+1=3 <= 3 <=",
    "Virtualserver VS - DOWN => Lost quorum 2+1=1 <= 0 <=",
    "Virtualserver VS - UP => Gained quorum 2+1=3 <= 3 <=",
    "Realserver [10.0.0.1]:tcp:80 of virtual server VS - DOWN => Shutting down <=",
    "Realserver [10.0.0.2]:tcp:80 of virtual server VS - DOWN => Shutting down <=",
    "Virtualserver VS - DOWN => Shutting down <=",
  ]);
});

test("mail at the end and at a removal: none at a stop without omega, all when the virtual server goes", () => {
  const stopped = poolOf("smtp_alert", [""]);
  stopped.pool.start(false);
  stopped.mails.length = 0;
  stopped.pool.end(true);
  assert.deepEqual(stopped.mails, []);
  const removed = poolOf("smtp_alert", [""]);
  removed.pool.start(false);
  removed.mails.length = 0;
  removed.pool.end(false);
  assert.deepEqual(removed.mails, [
    "Realserver [10.0.0.1]:tcp:80 of virtual server VS - DOWN => Removing <=",
    "Virtualserver VS - DOWN => Lost quorum 1+0=1 <= 0 <=",
  ]);
});

test("mail about checkers: each change of mind, or with no_checker_emails only what changes the server", () => {
  const say = (isQuiet: boolean): string[] => {
    const { pool, server, mails } = poolOf("", [""], isQuiet);
    const judge = (verdict: boolean, wasUp: boolean, body: string, tellsFirst = false): void =>
      pool.judge(server(0), verdict, { wasUp, hadRun: !tellsFirst, alpha: false }, { body, tellsFirst });
    pool.start(false);
    judge(true, true, "first", true);
    judge(true, true, "nothing new");
    judge(false, true, "one fails");
    judge(false, true, "two fails");
    judge(true, false, "one is back");
    judge(true, false, "two is back");
    return mails.map((mail) => mail.replace("Realserver [10.0.0.1]:tcp:80 of virtual server VS - ", ""));
  };
  assert.deepEqual(say(false), ["UP first", "DOWN one fails", "DOWN two fails", "DOWN one is back", "UP two is back"]);
  assert.deepEqual(say(true), ["DOWN one fails", "UP two is back"]);
});
