/** userid: the cookie, to the character; what is read of one; when a new one is given. nginx's answers beside ours where it is installed. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exchange } from "./http-server.ts";
import { NEEDS_NGINX, SideBySide } from "./support/side-by-side.ts";

const HTTP = `
  access_log off;
  map $arg_reset $uid_reset { default $arg_reset; }
  map $uid_set $late { default $uid_set; }
  server { listen 127.0.0.1:%PORT%; listen unix:%DIR%/socket; server_name localhost; userid on;
    add_header X-Got $uid_got; add_header X-Set $uid_set;
    location / { return 200 x; }
    location /v1 { userid v1; return 200 x; }
    location /v1s { userid v1; userid_service 258; return 200 x; }
    location /log { userid log; return 200 x; }
    location /off { userid off; return 200 x; }
    location /service { userid_service 4294967298; return 200 x; }
    location /name { userid_name Other; return 200 x; }
    location /domain { userid_domain .example.org; userid_path /p; return 200 x;
      location /domain/none { userid_domain none; return 200 x; }
      location /domain/empty { userid_domain ""; userid_path ""; return 200 x; }
    }
    location /expires { userid_expires 100d; return 200 x; }
    location /far { userid_expires 30y; return 200 x; }
    location /max { userid_expires max; userid_p3p 'policyref="/p3p.xml"'; return 200 x; }
    location /flags { userid_flags samesite=none HttpOnly secure; return 200 x;
      location /flags/off { userid_flags off; return 200 x; }
      location /flags/two { userid_flags samesite=lax; userid_flags samesite=strict; return 200 x; }
    }
    location /mark { userid_mark Z; return 200 x; }
    location /equal { userid_mark =; return 200 x; }
    location /error { error_page 404 /plain; return 404; }
    location /plain { return 200 "$uid_set"; }
    location /unix { userid off; proxy_pass http://unix:%DIR%/socket:/; }
    location /after { userid off; add_after_body /plain; types { } default_type text/html; alias %DIR%/html/page.html; }
  }`;

/** Numbers change: 22 characters of base64 and 32 digits. */
function veiled(answer: string): string {
  return answer
    .replace(/(Set-Cookie: \w+=)[\w+/]{22}(?=[\w=]=)/g, "$1NUMBER")
    .replace(/((?:X-Set: |\n)\w+=)[\dA-F]{32}/g, "$1NUMBER")
    .replace(/expires=\w{3}, \d\d-\w{3}-\d+ [\d:]{8} GMT/, "expires=DATE");
}

const GOT = "fwAAAWVPYr+5rGDJAgMDAg";

describe("userid", { timeout: 60_000 }, () => {
  let both: SideBySide;
  before(async () => {
    both = await SideBySide.start(HTTP, { files: { "html/page.html": "page" } });
  });
  after(() => both.stop());

  /** Our answer, and nginx's where there is one; they must be the same but for the number. */
  async function ask(target: string, ...headers: readonly string[]): Promise<string> {
    const text = [`GET ${target} HTTP/1.0`, "Host: h", ...headers, "", ""].join("\r\n");
    const { ours, theirs } = both;
    const mine = (await exchange(ours.port, [text])).text;
    if (theirs === undefined) return mine;
    const its = (await exchange(theirs.port, [text])).text;
    const plain = (answer: string): string =>
      veiled(answer)
        .replace(/nginx\/[\d.]+/, "nginx/V")
        .replace(/Date: .*/, "Date: D")
        .replace(/Last-Modified: .*|ETag: .*/g, "");
    assert.equal(plain(mine), plain(its), `${target} ${headers}`);
    return mine;
  }

  async function cookie(target: string, ...headers: readonly string[]): Promise<string | undefined> {
    return /Set-Cookie: (.*)\r/.exec(veiled(await ask(target, ...headers)))?.[1];
  }

  test("the cookie has its number, and what the configuration says of it", async () => {
    assert.equal(await cookie("/"), "uid=NUMBER==; path=/");
    assert.equal(await cookie("/v1"), "uid=NUMBER==; path=/");
    assert.equal(await cookie("/name"), "Other=NUMBER==; path=/");
    assert.equal(await cookie("/log"), undefined);
    assert.equal(await cookie("/off"), undefined);
    assert.equal(await cookie("/domain"), "uid=NUMBER==; domain=.example.org; path=/p");
    assert.equal(await cookie("/domain/none"), "uid=NUMBER==; path=/p");
    assert.equal(await cookie("/domain/empty"), "uid=NUMBER==; domain=; path=");
    assert.equal(await cookie("/expires"), "uid=NUMBER==; expires=DATE; path=/");
    assert.equal(await cookie("/far"), "uid=NUMBER==; expires=DATE; path=/");
    assert.match(await ask("/far"), /expires=\w{3}, \d\d-\w{3}-20\d\d /);
    assert.equal(await cookie("/flags"), "uid=NUMBER==; path=/; secure; httponly; samesite=none");
    assert.equal(await cookie("/flags/off"), "uid=NUMBER==; path=/");
    assert.equal(await cookie("/flags/two"), "uid=NUMBER==; path=/; samesite=lax");
    assert.equal(await cookie("/mark"), "uid=NUMBERZ=; path=/");
    assert.equal(await cookie("/equal"), "uid=NUMBER==; path=/");
    assert.match(await ask("/max"), /expires=Thu, 31-Dec-37 23:55:55 GMT; path=\/\r\nP3P: policyref="\/p3p.xml"\r\n/);
  });

  test("it expires so many seconds from now", async () => {
    const answer = await ask("/expires");
    const until = Date.parse((/expires=([^;]*)/.exec(answer)?.[1] ?? "").replace(/-(\d\d) /, "-20$1 "));
    assert.ok(Math.abs(until - Date.now() - 100 * 86_400_000) < 60_000, answer);
  });

  test("the number begins with the server, then comes the time; the last word grows", async () => {
    const set = async (target: string): Promise<string> => /X-Set: uid=(\w*)/.exec(await ask(target))?.[1] ?? "";
    const swap = (digits: string): string => digits.replace(/(..)(..)(..)(..)/, "$4$3$2$1");
    const first = await set("/");
    assert.equal(first.slice(0, 8), "0100007F");
    assert.ok(Math.abs(Number.parseInt(swap(first.slice(8, 16)), 16) - Date.now() / 1000) < 60);
    const second = await set("/");
    assert.equal(first.slice(16, 24), second.slice(16, 24));
    const last = (digits: string): number => Number.parseInt(swap(digits.slice(24)), 16);
    assert.equal(last(second) - last(first), 0x100);
    assert.equal((await set("/service")).slice(0, 8), "02000000");
    assert.equal((await set("/unix")).slice(0, 8), "00000000");
    assert.equal((await set("/v1")).slice(0, 8), "00000000");
    assert.equal((await set("/v1s")).slice(0, 8), "00000102");
    assert.ok(Math.abs(Number.parseInt((await set("/v1")).slice(8, 16), 16) - Date.now() / 1000) < 60);
  });

  test("the cookie and $uid_set tell the same number", async () => {
    const answer = await ask("/");
    const [, base64 = ""] = /Set-Cookie: uid=([^;]*)/.exec(answer) ?? [];
    const words = Buffer.from(base64, "base64").toString("hex").toUpperCase().match(/.{8}/g) ?? [];
    const swapped = words.map((word) => word.replace(/(..)(..)(..)(..)/, "$4$3$2$1")).join("");
    assert.match(answer, new RegExp(`X-Set: uid=${swapped}\r`));
  });

  test("a client with a number keeps it", async () => {
    const answer = await ask("/", `Cookie: a=b; uid=${GOT}==; c=d`);
    assert.match(answer, /X-Got: uid=0100007FBF624F65C960ACB902030302\r/);
    assert.doesNotMatch(answer, /Set-Cookie|X-Set/);
    assert.match(await ask("/log", `Cookie: uid=${GOT}`), /X-Got: uid=0100007FBF624F65C960ACB902030302\r/);
    assert.doesNotMatch(await ask("/off", `Cookie: uid=${GOT}`), /X-Got/);
    assert.equal(await cookie("/name", `Cookie: uid=${GOT}`), "Other=NUMBER==; path=/");
    assert.match(await ask("/", "Cookie: x=y", `Cookie: UID = ${GOT}garbage`), /X-Got: uid=0100007F/);
  });

  test("a cookie without its mark is sent again with it", async () => {
    const again = /Set-Cookie: uid=fwAAAWVPYr\+5rGDJAgMDAgZ=; path=\/\r/;
    assert.match(await ask("/mark", `Cookie: uid=${GOT}==`), again);
    assert.match(await ask("/mark", `Cookie: uid=${GOT}`), again);
    assert.match(await ask("/mark", `Cookie: uid=${GOT}Zx`), again);
    assert.doesNotMatch(await ask("/mark", `Cookie: uid=${GOT}Z=`), /Set-Cookie/);
    assert.doesNotMatch(await ask("/equal", `Cookie: uid=${GOT}==`), /Set-Cookie/);
  });

  test("$uid_reset gives a new number to a client that has one", async () => {
    assert.equal(await cookie("/?reset=0", `Cookie: uid=${GOT}`), undefined);
    assert.equal(await cookie("/?reset=", `Cookie: uid=${GOT}`), undefined);
    for (const value of ["1", "00", "log"]) {
      const answer = await ask(`/?reset=${value}`, `Cookie: uid=${GOT}`);
      assert.match(veiled(answer), /Set-Cookie: uid=NUMBER==/, value);
      assert.doesNotMatch(answer, new RegExp(GOT.replace("+", "\\+")), value);
    }
    assert.match(veiled(await ask("/mark?reset=1", `Cookie: uid=${GOT}Z=`)), /Set-Cookie: uid=NUMBERZ=/);
  });

  test("what is no number is replaced", async () => {
    for (const value of [
      "",
      "short",
      "x".repeat(21),
      "*".repeat(22),
      `${"A".repeat(22)}`,
      `${"A".repeat(20)}=A`,
      "A".repeat(16).padEnd(22, "="),
    ])
      assert.equal(await cookie("/", `Cookie: uid=${value}`), "uid=NUMBER==; path=/", value);
    const [first] = both.complaints(/userid/);
    assert.ok(first !== undefined);
    assert.match(
      both.ours.log("error.log"),
      /\[error\] .*: \*\d+ client sent too short userid cookie "uid=short", client: /,
    );
    assert.match(both.ours.log("error.log"), /\[error\] .* client sent invalid userid cookie "uid=\*{22}"/);
    assert.match(
      both.ours.log("error.log"),
      /\[notice\] .* userid cookie "uid=0100007FBF624F65C960ACB902030302" was reset, client: /,
    );
  });

  test("an error page has one cookie, with the number that it shows", async () => {
    const answer = await ask("/error");
    const [header = "", body = ""] = answer.split("\r\n\r\n");
    assert.equal(header.match(/Set-Cookie/g)?.length, 1);
    assert.match(body, /^uid=[\dA-F]{32}$/);
  });

  test("a subrequest sets none", { skip: NEEDS_NGINX }, async () => {
    assert.doesNotMatch(await ask("/after"), /Set-Cookie/);
  });
});
