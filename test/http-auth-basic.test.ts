/** auth_basic, auth_delay and satisfy: who is let in, what is asked of the others, and what the log says, as nginx does it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { findCryptR } from "../src/os/ffi/crypt.ts";
import { exchange, installedNginx, TestServer } from "./http-server.ts";

const nginx = installedNginx();

const HTTP = `
  log_format short '$request_uri $status $remote_user'; access_log logs/short.log short; root %DIR%/html;
  server { listen 127.0.0.1:%PORT%; server_name localhost;
    location / { auth_basic "closed site"; auth_basic_user_file users;
      location /open/ { auth_basic off; }
      location /inherits/ { }
      location /realm/ { auth_basic $arg_realm; }
      location /quoted/ { auth_basic 'a "b" \\é'; }
      location /file/ { auth_basic_user_file $arg_file; }
      location /folder/ { auth_basic_user_file ../conf; }
      location /none/ { auth_basic_user_file nowhere; }
      location /closed/ { auth_basic_user_file /proc/1/mem; }
      location /methods/ { limit_except GET { auth_basic "writers"; auth_basic_user_file %DIR%/conf/writers; } auth_basic off; }
    }
    location /half/ { auth_basic "no file"; }
    location /any/ { satisfy any; auth_basic any; auth_basic_user_file users;
      location /any/allow { allow all; }
      location /any/deny { deny all; }
      location /any/asked { deny all; auth_request /yes; }
      location /any/nobody { deny all; auth_request /no; }
    }
    location /all/ { auth_basic all; auth_basic_user_file users; deny all; }
    location /two/ { auth_basic two; auth_basic_user_file users; auth_request /yes; }
    location = /yes { return 204; }
    location = /no { auth_basic off; return 403; }
    location /page/ { auth_basic page; auth_basic_user_file users; error_page 401 /login; }
    location = /login { return 200 "log in"; }
    location /kept/ { auth_basic kept; auth_basic_user_file users; error_page 401 /again/x; }
    location /again/ { satisfy any; allow all; auth_basic again; auth_basic_user_file users; }
    location /late/ { auth_basic late; auth_basic_user_file users; auth_delay 700ms; }
    location /late-any/ { auth_basic late; auth_basic_user_file users; auth_delay 700ms; satisfy any; deny all; }
    location /late-denied/ { auth_delay 10m; deny all; }
    location /late-page/ { auth_basic late; auth_basic_user_file users; auth_delay 300ms; error_page 401 = /login; }
  }`;

function salted(password: string, salt: string): string {
  const digest = createHash("sha1").update(password, "latin1").update(salt, "latin1").digest();
  return `{SSHA}${Buffer.concat([digest, Buffer.from(salt, "latin1")]).toString("base64")}`;
}

/** Bytes are what counts: the file is no text. */
const USERS = [
  "# plain:{PLAIN}commented",
  "",
  "plain:{PLAIN}password",
  "plain:{PLAIN}the second of a name",
  "comment:{PLAIN}password:and more",
  "apr1:$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.",
  "apr1-short:$apr1$",
  "apr1-long:$apr1$12345678$eGYTdpKy3sCteX3tKIIny1",
  `sha:{SHA}${createHash("sha1").update("password").digest("base64")}`,
  "sha-bad:{SHA}Zm9vCg==",
  `ssha:${salted("password", "salt")}`,
  `ssha-bare:${salted("password", "")}`,
  "ssha-bad:{SSHA}_____wQadOA1e+/f+T+H3eCQQhRzYWx0",
  "ssha-short:{SSHA}Zm9vCg==",
  "des:sa3tHJ3/KuYvI",
  "md5:$1$salt$qJH7.N4xYta3aEG/dfqo/0",
  "sha256:$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1",
  "sha512:$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
  "bcrypt:$2y$04$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
  "yescrypt:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC",
  "broken:$1$",
  "empty:",
  "unknown:$none$password",
  "carriage:{PLAIN}password\r",
  "\rcarriage2:{PLAIN}password",
  "n\xfcl:{PLAIN}p\xe9",
  "zero:{PLAIN}pass\0word",
  `long:{PLAIN}${"x".repeat(2041)}more`,
  `${"padding ".repeat(16)}`,
  "prefi",
  "prefix:{PLAIN}lost",
  "prefix:{PLAIN}password",
  "last:{PLAIN}password",
].join("\n");

const FILES: Record<string, string> = {
  "conf/users": USERS,
  "conf/writers": "writer:{PLAIN}password\n",
  ...Object.fromEntries(
    "x open/x inherits/x realm/x quoted/x file/x folder/x none/x closed/x methods/x half/x any/allow any/deny any/asked any/nobody all/x two/x page/x kept/x again/x late/x late-any/x late-denied/x late-page/x"
      .split(" ")
      .map((name) => [`html/${name}`, `<${name}>`]),
  ),
};

function basic(user: string, password: string): string {
  return `Authorization: Basic ${Buffer.from(`${user}:${password}`, "latin1").toString("base64")}`;
}

/** Names and passwords that are right, or wrong for a reason of their own. */
const LOGINS: readonly (readonly [user: string, password: string, right: boolean])[] = [
  ["plain", "password", true],
  ["plain", "Password", false],
  ["plain", "", false],
  ["plain", "the second of a name", false],
  ["# plain", "commented", false],
  ["comment", "password", true],
  ["comment", "password:and more", false],
  ["apr1", "password", true],
  ["apr1", "x".repeat(40), false],
  ["apr1-short", "1", false],
  ["apr1-long", "a much longer password, of more than one block of MD5, which has 64 bytes", true],
  ["sha", "password", true],
  ["sha", "passwor", false],
  ["sha-bad", "1", false],
  ["ssha", "password", true],
  ["ssha", "passwordsalt", false],
  ["ssha-bare", "password", true],
  ["ssha-bad", "1", false],
  ["ssha-short", "1", false],
  ["broken", "1", false],
  ["empty", "", false],
  ["unknown", "password", false],
  ["carriage", "password", true],
  ["carriage2", "password", false],
  ["n\xfcl", "p\xe9", true],
  ["zero", "pass", true],
  ["zero", "pass\0anything", true],
  ["long", "x".repeat(2041), true],
  ["long", `${"x".repeat(2041)}more`, false],
  ["prefix", "lost", false],
  ["prefix", "password", true],
  ["last", "password", true],
  ["las", "password", false],
  ["nobody", "password", false],
];
const CRYPTED = ["des", "md5", "sha256", "sha512", "bcrypt", "yescrypt"];

const CASES: readonly (readonly [target: string, ...headers: string[]])[] = [
  ["/x"],
  ["/x", "Authorization: Basic"],
  ["/x", "Authorization: Basic    "],
  ["/x", "Authorization: Basic !!!!"],
  ["/x", "Authorization: Basic cGxhaW46cGFzc3dvcmQ"],
  ["/x", "Authorization: bASIC   cGxhaW46cGFzc3dvcmQ=ignored"],
  ["/x", "Authorization: Basiccc cGxhaW46cGFzc3dvcmQ="],
  ["/x", "Authorization: Basic OnBhc3N3b3Jk"],
  ["/x", "Authorization: Basic cGxhaW4="],
  ["/x", "Authorization: Bearer cGxhaW46cGFzc3dvcmQ="],
  ["/x", `Proxy-${basic("plain", "password")}`],
  ["/open/x"],
  ["/inherits/x"],
  ["/realm/x?realm=off"],
  ["/realm/x?realm=on"],
  ["/realm/x?realm="],
  ["/quoted/x"],
  ["/file/x?file=users", basic("plain", "password")],
  ["/file/x?file=writers", basic("writer", "password")],
  ["/file/x?file=nowhere", basic("plain", "password")],
  ["/file/x?file=", basic("plain", "password")],
  ["/file/x", basic("plain", "password")],
  ["/folder/x", basic("plain", "password")],
  ["/none/x", basic("plain", "password")],
  ["/none/x"],
  ["/closed/x", basic("plain", "password")],
  ["/methods/x"],
  ["/half/x"],
  ["/any/allow"],
  ["/any/deny"],
  ["/any/deny", basic("plain", "password")],
  ["/any/deny", basic("plain", "wrong")],
  ["/any/asked"],
  ["/any/nobody"],
  ["/all/x", basic("plain", "password")],
  ["/all/x"],
  ["/two/x", basic("plain", "password")],
  ["/two/x"],
  ["/page/x"],
  ["/kept/x"],
  ["/late-denied/x"],
  ...LOGINS.map(([user, password]) => ["/x", basic(user, password)] as const),
];

function normal(text: string, server: TestServer): string {
  return text
    .replaceAll(String(server.port), "PORT")
    .replaceAll(server.folder, "DIR")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
    .replace(/"[\da-f]{8}-[\da-f]+"/g, "TAG")
    .replace(/(Date|Last-Modified): [^\r]*/g, "$1: D");
}

/** What the error log says of passwords, without times and numbers. */
function complaints(server: TestServer): readonly string[] {
  return server
    .log("error.log")
    .split("\n")
    .filter(
      (line) =>
        /password|was not found|open\(\)|pread\(\)|forbidden by rule|delaying/.test(line) && !line.includes("?ours"),
    )
    .map((line) =>
      line
        .replace(/^\S+ \S+ \[(\w+)\] \d+#\d+: \*\d+ /, "[$1] ")
        .replace(/, client:.* request: "/, ' "')
        .replace(/ HTTP\/1.*/, "")
        .replaceAll(`${server.folder}/`, "DIR/"),
    )
    .sort();
}

describe("auth_basic", { timeout: 60_000 }, () => {
  let ours: TestServer;
  let theirs: TestServer | undefined;

  before(async () => {
    ours = await TestServer.start(HTTP, { files: FILES });
    if (nginx !== undefined) theirs = await TestServer.start(HTTP, { binary: nginx, files: FILES });
  });

  after(async () => {
    await ours.stop();
    await theirs?.stop();
  });

  test("who shows the right password is let in, nobody else", async () => {
    for (const [user, password, isRight] of LOGINS) {
      const answer = await ours.get("/x", basic(user, password));
      assert.match(answer, isRight ? /^HTTP\/1.1 200 [\s\S]*<x>$/ : /^HTTP\/1.1 401 /, `${user} ${password}`);
    }
  });

  test("every method of crypt(3) that the library knows", {
    skip: findCryptR() === undefined && "this machine has no libcrypt",
  }, async (t) => {
    for (const user of CRYPTED) {
      assert.match(await ours.get("/x?ours", basic(user, "Password")), /^HTTP\/1.1 401 /, user);
      const { text } = await ours.exchange(`GET /x HTTP/1.0\r\nHost: h\r\n${basic(user, "password")}\r\n\r\n`);
      if (text.startsWith("HTTP/1.1 401")) t.diagnostic(`${user} is not known to this library`);
      else assert.match(text, /^HTTP\/1.1 200 /, user);
    }
  });

  test("answers and the log are nginx's", { skip: nginx === undefined && "nginx is not installed" }, async () => {
    assert.ok(theirs !== undefined);
    const both: readonly TestServer[] = [ours, theirs];
    for (const [target, ...headers] of [...CASES, ...CRYPTED.map((user) => ["/x", basic(user, "password")] as const)]) {
      const [a, b] = await Promise.all(both.map((server) => server.get(target, ...headers)));
      assert.equal(normal(a ?? "", ours), normal(b ?? "", theirs), `${target} ${headers}`);
    }
    for (const method of ["POST", "HEAD", "DELETE"]) {
      const text = `${method} /methods/x HTTP/1.0\r\nHost: h\r\n\r\n`;
      const [a, b] = await Promise.all(both.map(({ port }) => exchange(port, [text])));
      assert.equal(normal(a?.text ?? "", ours), normal(b?.text ?? "", theirs), method);
    }
    const [mine = [], its = []] = both.map(complaints);
    assert.ok(its.length > 40, `${its.length} lines`);
    assert.deepEqual(new Set(mine), new Set(its));
  });

  test("the user is in the access log, right or wrong, and nobody without a name", async () => {
    await ours.get("/x?logged", basic("nobody", "wrong"));
    await ours.get("/x?none", "Authorization: Basic OnBhc3N3b3Jk");
    const lines = ours.log("short.log");
    assert.match(lines, /^\/x\?logged 401 nobody$/m);
    assert.match(lines, /^\/x\?none 401 -$/m);
  });

  test("with satisfy any an open door takes the question back", async () => {
    assert.doesNotMatch(await ours.get("/any/allow"), /WWW-Authenticate/);
    assert.doesNotMatch(await ours.get("/kept/x"), /WWW-Authenticate/);
    assert.match(await ours.get("/any/asked"), /^HTTP\/1.1 200 (?![\s\S]*WWW-Authenticate)/);
    assert.match(await ours.get("/any/nobody"), /^HTTP\/1.1 401 [\s\S]*\r\nWWW-Authenticate: Basic realm="any"\r\n/);
  });

  /** Bytes that have come by then. */
  async function open(target: string, ...headers: string[]): Promise<{ socket: net.Socket; text: () => string }> {
    const socket = net.connect(ours.port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data.toString("latin1")));
    socket.write([`GET ${target} HTTP/1.1`, "Host: h", ...headers, "", ""].join("\r\n"));
    await sleep(150);
    return { socket, text: () => text };
  }

  test("who is refused waits for auth_delay, who is let in or denied does not", async () => {
    const right = await open("/late/x", basic("plain", "password"));
    assert.match(right.text(), /^HTTP\/1.1 200 /);
    const denied = await open("/late-denied/x");
    assert.match(denied.text(), /^HTTP\/1.1 403 /);
    for (const target of ["/late/x", "/late-any/x"]) {
      const wrong = await open(target, basic("plain", "wrong"));
      assert.equal(wrong.text(), "", target);
      while (wrong.text() === "") await sleep(20);
      assert.match(wrong.text(), /^HTTP\/1.1 401 [\s\S]*WWW-Authenticate: Basic realm="late"/, target);
      wrong.socket.destroy();
    }
    for (const { socket } of [right, denied]) socket.destroy();
    assert.match(ours.log("error.log"), /\[info\] .*: \*\d+ delaying unauthorized request, client: /);
  });

  test("a page for 401 comes after the delay, and the next request of the connection behind it", async () => {
    const { socket, text } = await open("/late-page/x");
    socket.write("GET /open/x HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!text().includes("<open/x>")) await sleep(20);
    assert.match(text(), /^HTTP\/1.1 200 OK\r\n[\s\S]*log inHTTP\/1.1 200 OK[\s\S]*<open\/x>$/);
    socket.destroy();
  });

  test("a client that goes while it is delayed is logged with 499", async () => {
    const { socket } = await open("/late/x?gone");
    socket.destroy();
    await sleep(100);
    assert.match(ours.log("short.log"), /^\/late\/x\?gone 499 -$/m);
  });
});

test("CONNECT shows its password to the proxy", async () => {
  const server = await TestServer.start(
    `log_format u $remote_user$status;
     server { listen 127.0.0.1:%PORT%; auth_basic proxy; auth_basic_user_file users; tunnel_pass; access_log logs/u.log u; }
     server { listen 127.0.0.1:%PORT%; server_name inner; location / { return 200 inside; } }`,
    { files: { "conf/users": "me:{PLAIN}here\n" } },
  );
  try {
    const line = `CONNECT 127.0.0.1:${server.port} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`;
    const refused = await server.exchange(`${line}${basic("me", "here")}\r\n\r\n`);
    assert.match(refused.text, /^HTTP\/1.1 407 [\s\S]*\r\nProxy-Authenticate: Basic realm="proxy"\r\n/);
    const through = await server.exchange(
      `${line}Proxy-${basic("me", "here")}\r\n\r\n`,
      "GET / HTTP/1.1\r\nHost: inner\r\nConnection: close\r\n\r\n",
    );
    assert.match(through.text, /^HTTP\/1.1 200 [\s\S]*inside$/);
    assert.match(server.log("u.log"), /^-407$[\s\S]*^me200$/m);
  } finally {
    await server.stop();
  }
});
