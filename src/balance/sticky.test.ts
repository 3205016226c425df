import assert from "node:assert/strict";
import { test } from "node:test";
import { localGroup, PEER_DEFAULTS } from "./peers.ts";
import { LearnedSessions, stickyCookie } from "./sticky.ts";

const PLAIN = { name: "srv", expires: undefined, httpOnly: false, secure: false, path: "" };

test("a peer without a route is named by the MD5 of its address, as nginx 1.31.5 names it", () => {
  const name = "127.0.0.1:18631";
  const { primary } = localGroup("u", [
    { ...PEER_DEFAULTS, name, server: name },
    { ...PEER_DEFAULTS, name, server: name, route: "blue" },
  ]);
  assert.equal(primary.sid(0), "0cfac2389a5190500b0714e3376a30a5");
  assert.equal(primary.sid(1), "blue");
});

test("the cookie carries its attributes in nginx's order", () => {
  assert.equal(stickyCookie(PLAIN, "a", "", "", 0), "srv=a");
  const full = { name: "srv", expires: 3600, httpOnly: true, secure: true, path: "/x" };
  assert.equal(
    stickyCookie(full, "a", ".example.com", "lax", 1_700_000_000_500),
    "srv=a; expires=Tue, 14-Nov-23 23:13:20 GMT; max-age=3600; domain=.example.com; httponly; secure; samesite=lax; path=/x",
  );
  assert.match(
    stickyCookie({ ...PLAIN, expires: "max" }, "a", "", "", 0),
    /31-Dec-37 23:55:55 GMT; max-age=315360000$/,
  );
  assert.match(stickyCookie({ ...PLAIN, expires: 1 }, "a", "", "", 2_200_000_000_000), /-2039 /);
  assert.match(stickyCookie(PLAIN, "a", "", "whatever", 0), /; samesite=strict$/);
});

test("a session is learned from the answer that creates it, follows its peer, and is forgotten when idle", () => {
  const sessions = new LearnedSessions(1000, 10);
  sessions.learn("", "s1", "peer1", 0);
  assert.equal(sessions.find("s1"), undefined, "a request alone creates nothing");
  sessions.learn("s1", "", "peer1", 0);
  assert.equal(sessions.find("s1"), "peer1");
  sessions.learn("", "s1", "peer2", 500);
  assert.equal(sessions.find("s1"), "peer2");
  assert.equal(sessions.expire(1400), 100);
  assert.equal(sessions.expire(1500), undefined);
  assert.equal(sessions.find("s1"), undefined);
});

test("a full table drops the session that was idle longest", () => {
  const sessions = new LearnedSessions(1000, 2);
  sessions.learn("a", "", "p", 0);
  sessions.learn("b", "", "p", 1);
  sessions.learn("a", "", "p", 2);
  sessions.learn("c", "", "p", 3);
  assert.deepEqual(
    [sessions.find("a"), sessions.find("b"), sessions.find("c"), sessions.size],
    ["p", undefined, "p", 2],
  );
});
