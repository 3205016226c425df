/** secure_link: which links are good, which have expired, and which are none; nginx's answers beside them where it is installed. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { SideBySide } from "./support/side-by-side.ts";

const HTTP = `
  access_log off;
  server { listen 127.0.0.1:%PORT%; server_name localhost;
    location / { secure_link $arg_hash; secure_link_md5 "secret$uri"; return 200 "[$secure_link|$secure_link_expires]"; }
    location /end { secure_link $arg_link; secure_link_md5 "secret$uri$secure_link_expires"; return 200 "[$secure_link|$secure_link_expires]"; }
    location /kept { secure_link $arg_hash; secure_link_md5 "secret$uri"; set $before "$secure_link"; rewrite ^ /elsewhere break;
      try_files /none @kept; }
    location @kept { return 200 "[$before|$secure_link]"; }
    location /asked { secure_link $arg_link; secure_link_md5 x; return 200 "[$secure_link_expires|$secure_link|$secure_link_expires]"; }
    location /old/ { secure_link_secret word; return 200 "[$secure_link]"; }
    location ~ ^/o.+ld/ { secure_link_secret word; return 200 "[$secure_link]"; }
    location /half { secure_link $arg_hash; return 200 "[$secure_link]"; }
    location /other { secure_link_md5 x; return 200 "[$secure_link]"; }
    location /outer/ { secure_link_secret word; return 200 "[$secure_link]";
      location /outer/link { secure_link $arg_hash; return 200 "[$secure_link]"; }
      location /outer/both { secure_link $arg_hash; secure_link_md5 x; return 200 "[$secure_link]"; }
      location /outer/same { return 200 "[$secure_link]"; }
    }
  }`;

function hash(text: string): string {
  return createHash("md5").update(text, "latin1").digest("base64url");
}

function hex(text: string): string {
  return createHash("md5").update(text, "latin1").digest("hex");
}

describe("secure_link", { timeout: 60_000 }, () => {
  let both: SideBySide;
  before(async () => {
    both = await SideBySide.start(HTTP);
  });
  after(() => both.stop());

  test("a link is good with the hash of its text, with or without padding", async () => {
    const good = hash("secret/x");
    for (const [text, expected] of [
      [good, "1"],
      [`${good}==`, "1"],
      [`${good}=*`, "1"],
      [`${good}=====`, ""],
      [`${good}AA`, ""],
      [good.slice(0, -1), ""],
      [good.slice(0, -2), ""],
      [hash("secret/y"), ""],
      ["", ""],
      ["*".repeat(22), ""],
      ["A".repeat(22), ""],
    ] as const)
      assert.equal(await both.body(`/x?hash=${text}`), `[${expected}|]`, text);
    assert.equal(await both.body("/x"), "[|]");
  });

  test("a link says itself when it expires, and that is a part of its hash when the configuration says so", async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const [expires, expected] of [
      [String(now + 1000), "1"],
      [`00${now + 1000}`, "1"],
      [String(now - 1000), "0"],
      ["0", ""],
      ["", ""],
      ["-1", ""],
      ["1x", ""],
      ["9223372036854775807", "1"],
      ["9223372036854775808", ""],
    ] as const) {
      const shown = expected === "" ? "" : expires;
      assert.equal(
        await both.body(`/end?link=${hash(`secret/end${expires}`)},${expires}`),
        `[${expected}|${shown}]`,
        expires,
      );
    }
    assert.equal(await both.body(`/end?link=${hash("secret/endwrong")},1`), "[|1]");
    assert.equal(await both.body("/end?link=short,77"), "[|77]");
    assert.equal(await both.body("/end?link=short,7,7"), "[|]");
  });

  test("the answer is remembered, whatever becomes of the request, and so is that there was none", async () => {
    assert.equal(await both.body(`/kept?hash=${hash("secret/kept")}`), "[1|1]");
    assert.equal(await both.body(`/kept?hash=${hash("secret/elsewhere")}`), "[|]");
    assert.equal(await both.body("/asked?link=short,77"), "[||]");
  });

  test("the older kind has its hash in the path, in front of the link", async () => {
    for (const [path, expected] of [
      [`/old/${hex("a/b?c=dword")}/a/b?c=d`, "a/b?c=d"],
      [`/old/${hex("a%20bword").toUpperCase()}/a%20b`, "a%20b"],
      [`/old/${hex("aword")}/b`, ""],
      [`/old/${hex("word")}/`, ""],
      [`/old/${hex("aword")}`, ""],
      [`/old/${hex("aword").slice(1)}/a`, ""],
      [`/old/0${hex("aword")}/a`, ""],
      [`/old/${"x".repeat(32)}/a`, ""],
      [`/old//${hex("aword")}/a`, ""],
      ["/old/", ""],
      [`/o/ld/${hex("aword")}/a`, ""],
    ] as const)
      assert.equal(await both.body(path), `[${expected}]`, path);
  });

  test("both words of the newer kind are needed, and they displace the older kind that holds outside", async () => {
    assert.equal(await both.body(`/half?hash=${hash("")}`), "[]");
    assert.equal(await both.body("/other"), "[]");
    const path = `/outer/link/${hex("aword")}/a`;
    assert.equal(await both.body(path), "[]");
    assert.equal(await both.body(`/outer/both?hash=${hash("x")}`), "[1]");
    assert.equal(await both.body(`/outer/${hex("same/xword")}/same/x`), "[same/x]");
    assert.equal(await both.body("/outer/same/x"), "[]");
  });
});
