import assert from "node:assert/strict";
import { test } from "node:test";
import { localGroup, PEER_DEFAULTS } from "./peers.ts";
import { stickyCookie } from "./sticky.ts";

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
