/** Subrequests as auth_request, mirror and additions use them: answers as nginx gives them, and what back ends see. */
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const nginx = installedNginx();
const LARGE = "0123456789abcdef".repeat(40_000);

function reply({ text }: Seen): Reply {
  const path = /^\S+ ([^ ?]*)/.exec(text)?.[1] ?? "";
  switch (path) {
    case "/challenge":
      return "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=back\r\nContent-Length: 2\r\n\r\nno";
    case "/challenges":
      return "HTTP/1.1 401 No\r\nWWW-Authenticate: One\r\nWWW-Authenticate: Two\r\nContent-Length: 0\r\n\r\n";
    case "/late":
      return (socket) => setTimeout(() => socket.write(ok("[late]", "Content-Type: text/html")), 60);
    case "/dripping":
      return (socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[dri\r\n");
        setTimeout(() => socket.write("5\r\npping\r\n"), 20);
        setTimeout(() => socket.write("1\r\n]\r\n0\r\n\r\n"), 40);
      };
    case "/broken":
      return (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[broken");
    case "/large":
      return ok(LARGE, "Content-Type: text/html");
    case "/never":
      return () => {};
    default:
      return ok(`[back ${path}]`, "Content-Type: text/html", "X-User: jo", 'ETag: "back"');
  }
}

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; default_type text/html; root %DIR%/html;
  log_format short '$request_uri $status $uri'; access_log logs/short.log short;
  server {
    listen 127.0.0.1:%PORT%;
    location = /204 { return 204; }
    location = /201 { return 201 x; }
    location = /401 { return 401; }
    location = /403 { return 403; }
    location = /404 { return 404; }
    location = /302 { return 302 /x; }
    location = /back { internal; proxy_pass http://${back}/user; }
    location = /challenge { proxy_pass http://${back}; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
    location = /hidden { proxy_pass http://${back}/challenge; proxy_hide_header WWW-Authenticate; }
    location = /challenges { proxy_pass http://${back}; }
    location = /refused { proxy_pass http://127.0.0.1:1; }
    location /page.html { }
    location /auth/ { add_header X-Who "$who" always; auth_request_set $who $upstream_http_x_user;
      location /auth/204 { auth_request /204; }
      location /auth/201 { auth_request /201; }
      location /auth/401 { auth_request /401; }
      location /auth/403 { auth_request /403; }
      location /auth/404 { auth_request /404; }
      location /auth/302 { auth_request /302; }
      location /auth/static { auth_request /page.html; }
      location /auth/none { auth_request /nowhere; }
      location /auth/back { auth_request /back; return 200 "who $who"; }
      location /auth/set { auth_request /back; }
      location /auth/args { auth_request /204; auth_request_set $args a=b; proxy_pass http://${back}/args; }
      location /auth/challenge { auth_request /challenge; }
      location /auth/two { auth_request /challenges; }
      location /auth/hidden { auth_request /hidden; }
      location /auth/refused { auth_request /refused; }
      location /auth/off { auth_request off; }
      location /auth/any { satisfy any; deny all; auth_request /204; }
      location /auth/any-denied { satisfy any; deny all; auth_request /401; }
      location /auth/all { allow all; auth_request /403; }
      location /auth/page { auth_request /401; error_page 401 = @login; }
      location /auth/body { auth_request /challenge; proxy_pass http://${back}; }
      location /auth/post { auth_request /back; proxy_pass http://${back}/posted; }
    }
    location @login { return 200 "log in"; }
    location /add/ { add_before_body /before.html; add_after_body /after.html;
      location = /add/before { add_after_body ""; alias %DIR%/html/page.html; }
      location = /add/after { add_before_body ""; alias %DIR%/html/page.html; }
      location = /add/text { default_type text/plain; alias %DIR%/html/page; }
      location = /add/any { addition_types *; default_type text/plain; alias %DIR%/html/page; }
      location /add/proxied { proxy_pass http://${back}/middle; }
      location /add/late { add_before_body /back-late; add_after_body /back-dripping; proxy_pass http://${back}/dripping; }
      location = /add/late-file { add_before_body /back-late; add_after_body /back-late; alias %DIR%/html/large.html; }
      location /add/large { add_before_body /back-large; add_after_body /back-large; proxy_pass http://${back}/large; }
      location = /add/broken { add_before_body /back-broken; add_after_body /nowhere; alias %DIR%/html/page.html; }
      location = /add/refused { add_before_body /refused; add_after_body /403; alias %DIR%/html/page.html; }
      location /add/missing { alias %DIR%/html/none; }
      location = /add/empty { alias %DIR%/html/empty.html; }
      location /add/vars { set $shared main; add_before_body /vars; add_after_body /vars; return 200 "<$uri $shared>"; }
    }
    location /back- { internal; rewrite ^/back-(.*) /$1 break; proxy_pass http://${back}; }
    location = /vars { set $seen "$seen+"; return 200 "($uri $args $request_uri $request_method $shared $seen)"; }
    location /mirror/ { mirror /copy; mirror /copy2; proxy_pass http://${back}/;
      location /mirror/off/ { mirror off; proxy_pass http://${back}/; }
      location /mirror/headless/ { mirror /copy; mirror_request_body off; proxy_pass http://${back}/; }
      location /mirror/lost/ { mirror /refused; mirror /404; proxy_pass http://${back}/; }
      location = /mirror/never { mirror /back-never; alias %DIR%/html/page.html; }
    }
    location = /mirror-set { set $who main; mirror /copy-set; proxy_pass http://${back}/main; proxy_set_header X-Who $who; }
    location = /copy-set { set $who copy; proxy_pass http://${back}/copy; proxy_set_header X-Who $who; }
    location = /copy { internal; proxy_pass http://${back}/copied$request_uri; }
    location = /copy2 { proxy_pass http://${back}/second$is_args$args; }
  }`;

const AUTH = "204 201 401 403 404 302 static none back set args challenge hidden refused off any any-denied all page";
/** Not `late`: nginx 1.22 has lost a piece of the body there, on a busy machine. */
const ADD =
  "both before after text any proxied late-file large broken refused missing empty vars?x=1 proxied?head late?head";

const FILES = {
  ...Object.fromEntries(AUTH.split(" ").map((name) => [`html/auth/${name}`, "<page>"])),
  "html/add/both": "<page>",
  "html/page.html": "<page>",
  "html/page": "plain",
  "html/before.html": "[before]",
  "html/after.html": "[after]",
  "html/empty.html": "",
  "html/large.html": LARGE,
};

function normal(text: string, server: TestServer): string {
  return text
    .replaceAll(String(server.port), "PORT")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
    .replace(/"[\da-f]{8}-[\da-f]+"/g, "TAG")
    .replace(/(Date|Last-Modified): [^\r]*/g, "$1: D");
}

function body(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

describe("subrequests", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let ours: TestServer;
  let theirs: TestServer | undefined;

  before(async () => {
    back = await BackEnd.listen(reply);
    const http = configuration(back.address);
    ours = await TestServer.start(http, { files: FILES });
    if (nginx !== undefined) theirs = await TestServer.start(http, { binary: nginx, files: FILES });
  });

  after(async () => {
    await ours.stop();
    await theirs?.stop();
    back.close();
  });

  for (const [name, area] of [
    ["auth", AUTH],
    ["add", ADD],
  ] as const) {
    test(`${name}: answers are nginx's`, { skip: nginx === undefined && "nginx is not installed" }, async () => {
      await Promise.all(
        area.split(" ").map(async (one) => {
          const method = one.endsWith("?head") ? "HEAD" : "GET";
          const request = `${method} /${name}/${one} HTTP/1.0\r\nHost: h\r\n\r\n`;
          const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
          assert.ok(a !== undefined && b !== undefined);
          assert.equal(normal(a.text, ours), normal(b.text, theirs as TestServer), one);
          assert.equal(a.closed, b.closed, one);
        }),
      );
    });
  }

  test("what was said before and behind stands around the body, whoever is slow", async () => {
    const drip = "[dripping]";
    assert.equal(body(await ours.get("/add/late")), `[late]${drip}${drip}`);
    assert.equal(body(await ours.get("/add/late-file")), `[late]${LARGE}[late]`);
    assert.equal(body(await ours.get("/add/large")), LARGE.repeat(3));
    assert.match(await ours.get("/add/proxied"), /ETag: W\/"back"/);
  });

  test("a refusal shows every challenge of the subrequest", async () => {
    assert.deepEqual((await ours.get("/auth/two")).match(/WWW-Authenticate: \w+/g), [
      "WWW-Authenticate: One",
      "WWW-Authenticate: Two",
    ]);
  });

  test("a keep-alive client gets one chunked answer after the other", async () => {
    const one = "GET /add/late HTTP/1.1\r\nHost: h\r\n\r\n";
    const { text } = await ours.exchange(
      one + one + one.replace("GET", "HEAD").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    );
    const answers = text.split("HTTP/1.1 200 OK").slice(1);
    assert.equal(answers.length, 3);
    for (const answer of answers.slice(0, 2)) {
      assert.match(answer, /Transfer-Encoding: chunked/);
      assert.match(answer, /\r\n0\r\n\r\n$/);
    }
  });

  test("a client that does not read holds subrequests back, and gets everything when it reads", async () => {
    const socket = net.connect(ours.port, "127.0.0.1");
    socket.write("GET /add/large HTTP/1.0\r\nHost: h\r\n\r\n");
    socket.pause();
    await sleep(200);
    let length = 0;
    for await (const data of socket) length += (data as Buffer).length;
    assert.ok(length > 3 * LARGE.length && length < 3 * LARGE.length + 500, `${length}`);
  });

  test("a subrequest for permission has no body, the request itself keeps its own", async () => {
    const from = back.seen.length;
    await ours.exchange("POST /auth/post HTTP/1.0\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    const [asked, posted] = back.seen.slice(from);
    assert.match(asked?.text ?? "", /^GET \/user HTTP/);
    assert.doesNotMatch(asked?.text ?? "", /body$/);
    assert.match(posted?.text ?? "", /^POST \/posted HTTP[\s\S]*\r\n\r\nbody$/);
  });

  test("a copy goes to every mirror, with method, arguments and body", async () => {
    const from = back.seen.length;
    const { text } = await ours.exchange("PUT /mirror/x?a=b HTTP/1.0\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    assert.match(text, /\[back \/x\]$/);
    const seen = back.seen.slice(from).map((one) => one.text.replace(/ HTTP[\s\S]*\r\n\r\n/, " "));
    assert.deepEqual(seen.sort(), ["PUT /copied/mirror/x?a=b body", "PUT /second?a=b body", "PUT /x?a=b body"]);
  });

  test("what a mirror sets does not reach the request that was sent before it", async () => {
    for (const method of ["GET", "POST"]) {
      const from = back.seen.length;
      await ours.exchange(`${method} /mirror-set HTTP/1.0\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody`);
      const seen = back.seen.slice(from).map(({ text }) => `${text.split(" ")[1]} ${/X-Who: (\w+)/.exec(text)?.[1]}`);
      assert.deepEqual(seen.sort(), ["/copy copy", "/main main"], method);
    }
  });

  test("mirrors may be off, without the body, or fail, and nobody notices", async () => {
    const from = back.seen.length;
    const post = (uri: string): Promise<{ text: string }> =>
      ours.exchange(`POST ${uri} HTTP/1.0\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody`);
    assert.match((await post("/mirror/off/x")).text, /\[back \/x\]$/);
    assert.equal(back.seen.length, from + 1);
    assert.match((await post("/mirror/headless/x")).text, /\[back \/x\]$/);
    const copy = back.seen.slice(from).find((one) => one.text.includes("/copied"));
    assert.doesNotMatch(copy?.text ?? "", /body$/);
    assert.match((await post("/mirror/lost/x")).text, /\[back \/x\]$/);
  });

  test("the client has its answer at once, and its next request waits for the mirror", async () => {
    const request = "GET /mirror/never HTTP/1.1\r\nHost: h\r\n\r\n";
    const { text } = await ours.exchange(request + request);
    assert.equal(text.match(/<page>/g)?.length, 1);
  });

  test("a client that goes ends the subrequest that it waits for", async () => {
    const socket = net.connect(ours.port, "127.0.0.1");
    socket.write("GET /mirror/never?gone HTTP/1.0\r\nHost: h\r\n\r\n");
    await sleep(50);
    socket.destroy();
    await sleep(100);
    assert.match(ours.log("error.log"), /client prematurely closed connection[^\n]*\/mirror\/never\?gone/);
    assert.doesNotMatch(ours.log("error.log"), /\[alert\]/);
  });
});
