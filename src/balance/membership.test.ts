import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, fromUtf8 } from "../base/bytes.ts";
import { ConsistentHash, Hash } from "./hash.ts";
import { IpHash } from "./ip_hash.ts";
import { LeastConn } from "./least_conn.ts";
import { type FoundPeer, NamedMembers, type NamedServer, type Roster } from "./membership.ts";
import { CONNS, FAILS, Group, localPeerMemory, PEER_DEFAULTS, type PeerMemory, type PeerSettings } from "./peers.ts";
import { Pick } from "./pick.ts";
import { Random } from "./random.ts";
import { FAILURE, RoundRobin, SUCCESS } from "./round_robin.ts";

const NO_KEY: Bytes = new Uint8Array(0);

/** A roster with room for so many characters. */
class Paper implements Roster {
  version = 0;
  private text = "";
  private readonly room: number;

  constructor(room = 10_000) {
    this.room = room;
  }

  read(): string {
    return this.text;
  }

  write(text: string): boolean {
    if (text.length > this.room) return false;
    this.text = text;
    this.version++;
    return true;
  }
}

function peer(name: string): PeerSettings {
  return { ...PEER_DEFAULTS, name, server: name };
}

const named = (key: string): NamedServer => ({
  key,
  settings: { ...PEER_DEFAULTS, server: key },
  healthOf: () => 0,
  renew: ({ name, server, backup }) => ({ name, server, backup, weight: 3 }),
});

const found = (name: string, more: Partial<FoundPeer> = {}): FoundPeer => ({
  name,
  server: "",
  weight: 1,
  backup: false,
  ...more,
});

interface Worker {
  readonly group: Group;
  readonly members: NamedMembers;
  readonly balancer: RoundRobin;
}

/** A worker of an upstream with the server s0 of its own and the names x and y. */
function worker(
  memory: PeerMemory,
  roster: Roster,
  own: readonly PeerSettings[] = [peer("s0")],
  former?: string,
): Worker {
  const group = new Group("u", memory, own, []);
  const members = new NamedMembers(group, roster, [named("x"), named("y")], former);
  return { group, members, balancer: new RoundRobin(group) };
}

const names = (list: { readonly settings: readonly PeerSettings[] } | undefined): string =>
  (list?.settings ?? []).map(({ name }) => name).join(" ");

function ask(balancer: RoundRobin, key = NO_KEY): string {
  const pick = new Pick(balancer.group);
  balancer.begin(pick, key);
  if (!balancer.next(pick, 0)) return "-";
  const { name } = pick;
  balancer.finish(pick, SUCCESS, 1, 1, 0);
  return name;
}

test("addresses join the peers of the configuration, and those that stay keep their history", () => {
  const { group, members } = worker(localPeerMemory(4), new Paper());
  assert.equal(members.update(0, [found("a"), found("b")], 5000), 0);
  assert.equal(names(group.primary), "s0 a b");
  assert.equal(members.validUntilMs(0), 5000);
  group.primary.set(2, FAILS, 7);
  const kept = group.primary.at(2);
  members.update(0, [found("c"), found("b")], 6000);
  assert.equal(names(group.primary), "s0 b c");
  assert.equal(group.primary.get(1, FAILS), 7);
  assert.equal(group.primary.at(1), kept, "what others know of a peer by its settings stays true");
  members.update(0, [], 7000);
  assert.equal(names(group.primary), "s0");
});

test("nothing is new when the same addresses are found again, in whatever order", () => {
  const { group, members } = worker(localPeerMemory(4), new Paper());
  members.update(0, [found("a"), found("b")], 5000);
  const { generation } = group;
  members.update(0, [found("b"), found("a")], 9000);
  assert.equal(group.generation, generation);
  assert.equal(members.validUntilMs(0), 9000);
});

test("an address that is found twice counts twice, and one that changes its weight begins anew", () => {
  const { group, members } = worker(localPeerMemory(6), new Paper());
  members.update(0, [found("a"), found("a")], 1);
  assert.equal(names(group.primary), "s0 a a");
  assert.equal(new Set(group.primary.slots).size, 3);
  group.primary.set(1, FAILS, 3);
  group.primary.set(2, FAILS, 3);
  members.update(0, [found("a", { weight: 5, server: "target" })], 1);
  assert.deepEqual([names(group.primary), group.primary.get(1, FAILS)], ["s0 a", 0]);
  assert.deepEqual([group.primary.at(1).weight, group.primary.at(1).server], [5, "target"]);
});

test("backup peers come and go with their names", () => {
  const { group, members } = worker(localPeerMemory(6), new Paper());
  members.update(1, [found("b", { backup: true })], 1);
  members.update(0, [found("a")], 1);
  assert.deepEqual([names(group.primary), names(group.backup)], ["s0 a", "b"]);
  members.update(1, [], 1);
  assert.equal(group.backup, undefined);
});

test("every worker follows before its next choice", () => {
  const memory = localPeerMemory(6);
  const roster = new Paper();
  const first = worker(memory, roster, []);
  const second = worker(memory, roster, []);
  assert.equal(ask(second.balancer), "-", "nothing is known yet");
  first.members.update(0, [found("a"), found("b")], 1);
  const pick = new Pick(first.group);
  first.balancer.begin(pick, NO_KEY);
  first.balancer.next(pick, 0);
  assert.equal(ask(second.balancer), "b", "turns are taken together");
  assert.equal(names(second.group.primary), "a b");
  assert.deepEqual([...second.group.primary.slots], [...first.group.primary.slots]);
  assert.equal(second.group.primary.get(0, CONNS), 1, "connections are counted together");
  const third = worker(memory, roster, []);
  assert.equal(names(third.group.primary), "a b", "also a worker that starts later");
  second.members.update(1, [found("c", { backup: true })], 1);
  first.members.update(0, [found("b")], 1);
  assert.deepEqual([names(first.group.primary), names(first.group.backup)], ["b", "c"], "no change is lost");
});

test("a peer that leaves keeps its place until its last request is done, in whichever worker", () => {
  const memory = localPeerMemory(2);
  const roster = new Paper();
  const first = worker(memory, roster, []);
  const second = worker(memory, roster, []);
  first.members.update(0, [found("a")], 1);
  const pick = new Pick(second.group);
  second.balancer.begin(pick, NO_KEY);
  assert.equal(second.balancer.next(pick, 0), true);
  assert.equal(first.members.update(0, [found("b"), found("c")], 1), 1, "no room for c");
  assert.equal(names(first.group.primary), "b");
  second.balancer.finish(pick, SUCCESS, 1, 1, 0);
  assert.equal(first.members.update(0, [found("b"), found("c")], 2), 0);
  assert.equal(ask(second.balancer), "b");
});

test("a request goes on among the new members when the one that it was with fails", () => {
  const memory = localPeerMemory(6);
  const roster = new Paper();
  const first = worker(memory, roster, []);
  const second = worker(memory, roster, []);
  first.members.update(0, [found("a"), found("b")], 1);
  const pick = new Pick(second.group);
  second.balancer.begin(pick, NO_KEY);
  second.balancer.next(pick, 0);
  first.members.update(0, [found("c")], 1);
  second.balancer.finish(pick, FAILURE, -1, 1, 0);
  assert.equal(pick.tries, 1);
  assert.equal(second.balancer.next(pick, 0), true);
  assert.equal(pick.name, "c");
});

test("every algorithm does without peers, and sees the ones that come", () => {
  const key = fromUtf8("key");
  for (const make of [
    (group: Group) => new RoundRobin(group),
    (group: Group) => new LeastConn(group),
    (group: Group) => new IpHash(group),
    (group: Group) => new Hash(group),
    (group: Group) => new ConsistentHash(group),
    (group: Group) => new Random(group, (bound) => bound - 1),
  ]) {
    const { group, members } = worker(localPeerMemory(4), new Paper(), []);
    const balancer = make(group);
    const waiting = new Pick(group);
    balancer.begin(waiting, key);
    assert.equal(ask(balancer, key), "-");
    members.update(0, [found("a")], 1);
    assert.equal(balancer.next(waiting, 0), true);
    assert.equal(waiting.name, "a");
    members.update(0, [found("b"), found("c")], 1);
    assert.match(ask(balancer, key), /^[bc]$/);
    members.update(0, [], 1);
    assert.equal(ask(balancer, key), "-");
  }
});

test("a roster that is full keeps what fits", () => {
  const { group, members } = worker(localPeerMemory(20), new Paper(100), []);
  const all = Array.from({ length: 10 }, (_, i) => found(`192.0.2.${i}:80`));
  const unplaced = members.update(0, all, 1);
  assert.ok(unplaced > 0 && unplaced < 10);
  assert.equal(group.primary.count, 10 - unplaced);
  members.update(0, all.slice(8), 1);
  assert.equal(names(group.primary), "192.0.2.8:80 192.0.2.9:80", "places are free again");
});

test("after a reload the addresses that were known serve on", () => {
  const before = new Paper();
  const { members } = worker(localPeerMemory(4), before);
  members.update(0, [found("a"), found("b")], 5000);
  members.update(1, [], 9000);
  const after = worker(localPeerMemory(4), new Paper(), [peer("s1")], before.read());
  assert.equal(names(after.group.primary), "s1 a b");
  assert.equal(after.group.primary.weight(1), 3, "as the new configuration has them");
  assert.deepEqual([after.members.validUntilMs(0), after.members.validUntilMs(1)], [5000, 0]);
});
