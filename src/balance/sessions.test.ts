import assert from "node:assert/strict";
import { test } from "node:test";
import { Zone } from "../base/zone.ts";
import { digestOf, LearnedSessions } from "./sessions.ts";

const host = { isAlive: () => false, rest: () => {} };

function zoneOf(words = new Int32Array(8192), processId = 1): Zone {
  return new Zone("z", words, { processId, host });
}

test("a session is learned from the answer that creates it, follows its peer, and is forgotten when idle", () => {
  const sessions = new LearnedSessions(zoneOf(), 1000, 7);
  sessions.learn("", "s1", "peer1", 0);
  assert.equal(sessions.find("s1"), undefined, "a request alone creates nothing");
  sessions.learn("s1", "", "peer1", 0);
  assert.equal(sessions.find("s1"), digestOf("peer1"));
  sessions.learn("", "s1", "peer2", 500);
  assert.equal(sessions.find("s1"), digestOf("peer2"));
  assert.equal(sessions.expire(1400), 100);
  assert.equal(sessions.expire(1500), undefined);
  assert.equal(sessions.find("s1"), undefined);
});

test("other workers know it, and the next configuration too", () => {
  const words = new Int32Array(8192);
  const one = new LearnedSessions(zoneOf(words, 1), 1000, 7);
  const other = new LearnedSessions(zoneOf(words, 2), 1000, 8);
  one.learn("s", "", "peer", 0);
  assert.equal(other.find("s"), digestOf("peer"));
  assert.equal(new LearnedSessions(zoneOf(words, 3), 1000, 9).find("s"), digestOf("peer"));
});

test("a full zone drops the session that was idle longest", () => {
  const sessions = new LearnedSessions(zoneOf(new Int32Array(1024)), 1000, 7);
  let room = 0;
  while (sessions.size === room) sessions.learn(`s${room++}`, "", "p", room);
  assert.ok(room > 20);
  room--;
  assert.equal(sessions.find("s0"), undefined);
  sessions.learn("", "s1", "p", 5000);
  sessions.learn("one more", "", "p", 5001);
  assert.equal(sessions.find("s2"), undefined);
  assert.notEqual(sessions.find("s1"), undefined, "its use keeps it");
  assert.equal(sessions.size, room);
});

test("a worker that dies with the lock does not stop the others", () => {
  const words = new Int32Array(8192);
  const dead = zoneOf(words, 1);
  const sessions = new LearnedSessions(zoneOf(words, 2), 1000, 7);
  sessions.learn("s", "", "peer", 0);
  dead.lock.acquire();
  assert.equal(sessions.find("s"), digestOf("peer"));
});
