import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, latin1 } from "../base/bytes.ts";
import { parseIp } from "../base/ip.ts";
import { configOf, type FakeProbe, FakeWorld } from "./example.ts";
import { LvsNode, suspectKey } from "./node.ts";
import { reportLvs } from "./report.ts";

const NAME = "[10.0.0.100]:tcp:80";

function text(servers: readonly string[], service = "", before = ""): string {
  const reals = servers.map((body, i) => `real_server 10.0.0.${i + 1} 80 {\n${body}\n}`).join("\n");
  return `${before}\nvirtual_server 10.0.0.100 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\ndelay_loop 10\nwarmup 0\nconnect_timeout 3\n${service}\n${reals}\n}`;
}

function start(configuration: string, suspects: readonly string[] = []): { world: FakeWorld; node: LvsNode } {
  const world = new FakeWorld();
  const node = new LvsNode(world.ports, configOf(configuration), new Set(suspects));
  node.start();
  return { world, node };
}

/** The conversation with a server that is open. */
function probeOf(world: FakeWorld, last: number): FakeProbe {
  const probe = world.openProbes.find(({ target }) => target.destination.ip[3] === last);
  assert.ok(probe, `a probe of .${last}`);
  return probe;
}

test("checkers begin a second after the start, and their warm-up later", () => {
  const { world } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\nwarmup 5\n}"]));
  world.randomValue = 0;
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80", "10.0.0.2:80"]);
  world.advance(999);
  assert.equal(world.probes.length, 0);
  world.advance(30);
  assert.equal(world.openProbes.length, 2, "no random part at all");
});

test("a refused connection takes the server out, a success brings it back ten seconds later", () => {
  const { world } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\n}"]));
  world.advance(1030);
  probeOf(world, 1).owner.onFailed("refused", "");
  probeOf(world, 2).owner.onConnected();
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80"]);
  assert.equal(world.openProbes.length, 0, "both are closed");
  world.advance(10_030);
  probeOf(world, 1).owner.onConnected();
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80", "10.0.0.2:80"]);
  assert.deepEqual(world.events, [
    `VS ${NAME} UP`,
    `RS [10.0.0.1]:tcp:80 ${NAME} DOWN`,
    `RS [10.0.0.1]:tcp:80 ${NAME} UP`,
  ]);
});

test("silence is a failure after connect_timeout, and what could not be tried is none", () => {
  const { world } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\n}"]));
  world.advance(1030);
  probeOf(world, 2).owner.onFailed("impossible", "bind(): no such address");
  world.advance(3030);
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80"]);
  assert.match(world.logs.join("\n"), /could not be made: bind\(\): no such address\. Rescheduling\./);
  world.advance(7000);
  probeOf(world, 2);
});

test("an alpha server is down until it has passed all its checks", () => {
  const { world } = start(text(["alpha\nTCP_CHECK {\n}\nPING_CHECK {\n}"], "sorry_server 10.0.0.9 80"));
  assert.deepEqual(world.pool(NAME), ["10.0.0.9:80"]);
  world.advance(1030);
  for (const probe of world.openProbes) probe.owner.onConnected();
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80"]);
});

test("HTTP_GET asks for its url, over TLS with the name that is asked for", () => {
  const check = "SSL_GET {\nenable_sni\nvirtualhost www.example.com\nurl {\npath /ok\n}\n}";
  const { world } = start(text([check]));
  world.advance(1030);
  const probe = probeOf(world, 1);
  assert.equal(probe.tls?.serverName, "www.example.com");
  probe.owner.onConnected();
  assert.match(
    latin1(probe.sent[0] ?? new Uint8Array(0)),
    /^GET \/ok HTTP\/1\.0\r\n(.*\r\n)*Host: www\.example\.com\r\n/,
  );
  probe.owner.onData(fromLatin1("HTTP/1.0 404 no\r\n\r\n"));
  probe.owner.onEnd();
  assert.deepEqual(world.pool(NAME), []);
  assert.ok(world.logs.includes("HTTP_CHECK on service [10.0.0.1]:tcp:80 failed after 1 retries."));
});

test("SSL_GET can send a name of its own in TLS, and ends TLS properly when asked to, as later versions of keepalived", () => {
  const urls = "url {\npath /a\ntls_compliant\n}\nurl {\npath /b\nvirtualhost b.example\n}";
  const { world } = start(text([`SSL_GET {\nsni_name inner.example\n${urls}\n}`]));
  world.advance(1030);
  const first = probeOf(world, 1);
  assert.deepEqual([first.tls?.serverName, first.tls?.saysGoodbye], ["inner.example", true]);
  first.owner.onConnected();
  first.owner.onData(fromLatin1("HTTP/1.0 200 ok\r\n\r\n"));
  first.owner.onEnd();
  world.advance(10_030);
  const second = probeOf(world, 1);
  assert.deepEqual([second.tls?.serverName, second.tls?.saysGoodbye], ["inner.example", false]);
});

test("SMTP_CHECK, DNS_CHECK and UDP_CHECK have their talks", () => {
  const { world } = start(
    text([
      "SMTP_CHECK {\nhelo_name me\n}\nDNS_CHECK {\nname a.example\ntype A\n}\nUDP_CHECK {\nrequire_reply 68 X9\n}",
    ]),
  );
  world.advance(1030);
  const [smtp, dns, udp] = world.openProbes as [FakeProbe, FakeProbe, FakeProbe];
  smtp.owner.onConnected();
  smtp.owner.onData(fromLatin1("220 x\r\n"));
  assert.equal(latin1(smtp.sent[0] as Uint8Array), "HELO me\r\n");
  smtp.owner.onData(fromLatin1("250 x\r\n"));
  smtp.owner.onData(fromLatin1("221 x\r\n"));
  dns.owner.onConnected();
  const question = dns.sent[0] as Uint8Array;
  dns.owner.onData(Uint8Array.from([question[0] as number, question[1] as number, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]));
  udp.owner.onConnected();
  assert.equal(latin1(udp.sent[0] as Uint8Array), "keepalived check - keepalived ch");
  udp.owner.onData(fromLatin1("hi there"));
  const checkers = reportLvsOf(world);
  assert.deepEqual(checkers, ["SMTP_CHECK up", "DNS_CHECK down", "UDP_CHECK up"]);

  function reportLvsOf(of: FakeWorld): string[] {
    const success = (words: RegExp): boolean => of.logs.some((line) => words.test(line));
    return [
      `SMTP_CHECK ${success(/Remote SMTP server .* succeed/) ? "up" : "down"}`,
      `DNS_CHECK ${success(/DNS_CHECK .*rcode = 2/) ? "down" : "up"}`,
      `UDP_CHECK ${success(/UDP connection to .* success/) ? "up" : "down"}`,
    ];
  }
});

test("UDP_CHECK without a reply is content with silence, and hears a refusal", () => {
  const { world } = start(text(["UDP_CHECK {\n}", "UDP_CHECK {\n}"]));
  world.advance(1030);
  probeOf(world, 1).owner.onFailed("refused", "");
  world.advance(3030);
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80"]);
});

test("MISC_CHECK runs its program, whose status may be a weight", () => {
  const { world } = start(text(["weight 5\nMISC_CHECK {\nmisc_path /bin/x\nmisc_dynamic\nmisc_timeout 4\n}"]));
  world.advance(1030);
  assert.deepEqual(
    world.runs.map(({ text: command, timeoutMs }) => [command, timeoutMs]),
    [["/bin/x", 4000]],
  );
  world.runs[0]?.done({ kind: "exited", status: 9 });
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80*7"]);
  world.advance(10_030);
  world.runs[1]?.done({ kind: "exited", status: 1 });
  assert.deepEqual(world.pool(NAME), []);
  world.advance(10_030);
  world.runs[2]?.done({ kind: "exited", status: 0 });
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80*5"]);
});

test("FILE_CHECK adds to the weight, or is a failure", () => {
  const file = "track_file f {\nfile /tmp/f\n}";
  const servers = ["weight 5\nFILE_CHECK {\ntrack_file f\nweight 2\n}", "FILE_CHECK {\ntrack_file f\nweight 0\n}"];
  const world = new FakeWorld();
  const node = new LvsNode(world.ports, configOf(text(servers, "", file)));
  node.fileValue("f", 1);
  node.start();
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80*7"]);
  node.fileValue("f", 0);
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80*5", "10.0.0.2:80"]);
  node.fileValue("f", -2);
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80"]);
});

test("BFD_CHECK follows its session: up until it is down, with alpha down until it is up", () => {
  const session = "bfd_instance b {\nneighbor_ip 10.0.0.1\n}";
  const servers = ["BFD_CHECK {\nname b\n}", "BFD_CHECK {\nname b\nalpha\n}"];
  const { world, node } = start(text(servers, "", session));
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80"]);
  node.session("other", false);
  node.session("b", true);
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80", "10.0.0.2:80"]);
  node.session("b", true);
  node.session("b", false);
  assert.deepEqual(world.pool(NAME), []);
  assert.deepEqual(
    world.logs.filter((line) => line.startsWith("BFD")),
    [
      "BFD check of [b] RS([10.0.0.1]:tcp:80) is UP",
      "BFD check of [b] RS([10.0.0.2]:tcp:80) is UP",
      "BFD check of [b] RS([10.0.0.1]:tcp:80) is DOWN",
      "BFD check of [b] RS([10.0.0.2]:tcp:80) is DOWN",
    ],
  );
  node.reload(configOf(text([...servers, servers[0] as string], "", session)));
  assert.deepEqual(world.pool(NAME), [], "what the session has said holds for whoever is new");
  node.session("b", true);
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
});

test("what a session had said before a new process begins is known to it", () => {
  const session = "bfd_instance b {\nneighbor_ip 10.0.0.1\n}";
  const world = new FakeWorld();
  const servers = ["BFD_CHECK {\nname b\n}", "BFD_CHECK {\nname c\nalpha\n}"];
  const both = `${session}\n${session.replace("_instance b", "_instance c").replace("0.1", "0.2")}`;
  const node = new LvsNode(world.ports, configOf(text(servers, "", both)));
  node.session("b", false);
  node.session("c", true);
  node.start();
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80"]);
});

test("with ha_suspend checks wait for the address, and what was found stays", () => {
  const { world, node } = start(text(["TCP_CHECK {\n}"], "ha_suspend"));
  world.advance(30_000);
  assert.equal(world.probes.length, 0);
  assert.match(world.logs.join("\n"), /Deactivating healthchecker for service/);
  node.addressesAre([parseIp("10.0.0.100") as Uint8Array]);
  for (let i = 0; i < 20 && world.probes.length === 0; i++) world.advance(600);
  probeOf(world, 1).owner.onFailed("refused", "");
  assert.deepEqual(world.pool(NAME), []);
  node.addressesAre([]);
  world.advance(60_000);
  assert.equal(world.openProbes.length, 0);
  assert.deepEqual(world.pool(NAME), []);
});

test("a reload keeps what is known of servers and checkers, and drops who is gone", () => {
  const { world, node } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\n}", "TCP_CHECK {\n}"]));
  world.advance(1030);
  probeOf(world, 1).owner.onFailed("refused", "");
  probeOf(world, 2).owner.onConnected();
  probeOf(world, 3).owner.onConnected();
  world.logs.length = 0;
  world.events.length = 0;
  node.reload(configOf(text(["TCP_CHECK {\n}", "weight 7\nTCP_CHECK {\nretry 5\n}"])));
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80*7"]);
  assert.deepEqual(world.events, [`RS [10.0.0.3]:tcp:80 ${NAME} DOWN`]);
  assert.ok(world.logs.includes("service [10.0.0.3]:tcp:80 no longer exist"));
  world.advance(1030);
  assert.equal(world.openProbes.length, 2);
  node.reload(configOf(""));
  assert.equal(world.services.services.size, 0);
  assert.equal(world.openProbes.length, 0, "old checks are broken off");
});

test("another subject of a check is another check; a service that is for others is made anew", () => {
  const { world, node } = start(text(["TCP_CHECK {\n}"]));
  world.advance(1030);
  probeOf(world, 1).owner.onFailed("refused", "");
  node.reload(configOf(text(["TCP_CHECK {\nconnect_port 81\n}"])));
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80"], "nobody has anything against it now");
});

test("who was out when a former process died is out until it has passed its checks", () => {
  const { world } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\n}"]), [suspectKey(NAME, "[10.0.0.1]:tcp:80")]);
  assert.deepEqual(world.pool(NAME), ["10.0.0.2:80"]);
  world.advance(1030);
  probeOf(world, 1).owner.onConnected();
  assert.deepEqual(world.pool(NAME), ["10.0.0.1:80", "10.0.0.2:80"]);
});

test("what the kernel refuses is logged, and tried again with the next change", () => {
  const { world } = start(text(["TCP_CHECK {\n}", "TCP_CHECK {\n}"]));
  world.services.failure = { message: "no memory" };
  world.advance(1030);
  probeOf(world, 1).owner.onFailed("refused", "");
  assert.equal(world.logs.at(-1), "no memory");
  world.services.failure = undefined;
  probeOf(world, 2).owner.onFailed("refused", "");
  assert.deepEqual(world.pool(NAME), []);
});

test("two virtual servers with one name are one and a complaint", () => {
  const { world, node } = start(text(["TCP_CHECK {\n}"]) + text(["TCP_CHECK {\n}"]));
  assert.equal(reportLvs(node).virtualServers.length, 1);
  assert.match(world.logs.join("\n"), /is there twice/);
});

test("at the stop everything ends: checks, programs, words", () => {
  const { world, node } = start(text(["TCP_CHECK {\n}", "MISC_CHECK {\nmisc_path /bin/x\n}"], "omega"));
  world.advance(1030);
  world.events.length = 0;
  node.stop();
  assert.equal(world.openProbes.length, 0);
  assert.deepEqual(
    world.runs.map(({ isKilled }) => isKilled),
    [true],
  );
  assert.deepEqual(world.events, [
    `RS [10.0.0.1]:tcp:80 ${NAME} DOWN`,
    `RS [10.0.0.2]:tcp:80 ${NAME} DOWN`,
    `VS ${NAME} DOWN`,
  ]);
  const before = world.probes.length;
  world.advance(60_000);
  assert.equal(world.probes.length, before);
});
