/** Charsets that are named and changed, as nginx does it. */
import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { exchange, installedNginx, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";

const nginx = installedNginx();
const MODIFIED_S = 1_700_000_000;
const latin1Of = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

function reply({ text }: Seen): Reply {
  const type = decodeURIComponent(/^\S+ \/\?(\S*)/.exec(text)?.[1] ?? "text/html");
  const [value, overriding] = type.split("|");
  return ok("XY", `Content-Type: ${value}`, ...(overriding === undefined ? [] : [`X-Accel-Charset: ${overriding}`]));
}

const configuration = (back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/html html; text/css css; text/plain txt; } access_log off; root %DIR%/html;
  charset_map B A { 58 59; 59 5a; }
  charset_map win utf-8 { e9 c3a9; 80 e282ac; c6 d096; }
  server {
    listen 127.0.0.1:%PORT%;
    location / { charset utf-8; }
    location /off/ { charset utf-8; location /off/x { charset off; } }
    location /css/ { charset utf-8; charset_types text/css; alias %DIR%/html/; }
    location /any/ { charset utf-8; charset_types *; alias %DIR%/html/; }
    location /variable/ { charset $arg_to; alias %DIR%/html/; }
    location /both/ { charset $arg_to; source_charset $arg_from; alias %DIR%/html/; }
    location /recode/ { charset A; source_charset B; alias %DIR%/html/; }
    location /back-again/ { charset B; source_charset a; alias %DIR%/html/; }
    location /same/ { charset A; source_charset a; alias %DIR%/html/; }
    location /to-utf8/ { charset utf-8; source_charset win; alias %DIR%/html/; }
    location /from-utf8/ { charset win; source_charset utf-8; alias %DIR%/html/; }
    location /proxy/ { charset A; proxy_pass http://${back}/; }
    location /ignore/ { proxy_ignore_headers X-Accel-Charset; proxy_pass http://${back}/; }
    location /bare/ { source_charset B; proxy_pass http://${back}/; }
    location /override/ { charset A; override_charset on; proxy_pass http://${back}/; }
    location /override-back/ { charset B; override_charset on; proxy_pass http://${back}/; }
    location /add/ { charset A; source_charset B; add_before_body /sub/x.html; add_after_body /plain/x.html; alias %DIR%/html/; }
    location /sub/ { source_charset B; alias %DIR%/html/; }
    location /plain/ { alias %DIR%/html/; }
    location /moved { charset utf-8; default_type text/html; return 301 /x; }
    location /text { charset utf-8; default_type text/html; return 200 "text"; }
    location /error { charset utf-8; return 404; }
  }`;

const FILES = {
  "html/x.html": "XYZ \xe9\n",
  "html/x.css": "XYZ",
  "html/x.txt": "",
  "html/off/x.html": "off",
  "html/win.html": "\xe9 \x80 \xc6 \x81 end",
  "html/utf.html": latin1Of("é € Ж 😀 ü \u0081 end"),
  "html/large-win.html": "\xe9\x80\xc6".repeat(30_000),
  "html/large.html": latin1Of("é€Ж".repeat(30_000)),
};

const TARGETS = [
  ...["/", "/css/", "/any/", "/recode/", "/back-again/", "/same/"].flatMap((prefix) =>
    ["x.html", "x.css", "x.txt"].map((name) => prefix + name),
  ),
  ...["", "?to=utf-8", "?to=A", "?to=other"].map((args) => `/variable/x.html${args}`),
  ...["?to=A&from=B", "?to=B&from=A", "?to=C&from=B", "?to=C&from=c", "?to=A"].map((args) => `/both/x.html${args}`),
  ...["to-utf8/win.html", "to-utf8/large-win.html", "from-utf8/utf.html", "from-utf8/large.html"].map(
    (name) => `/${name}`,
  ),
  ...[
    "text/html",
    "text/html; charset=B",
    "text/html;charset=a",
    'text/html;  charset="C"',
    "text/html; charset=C",
    "image/png",
  ].flatMap((type) => ["proxy", "override", "override-back"].map((name) => `/${name}/?${encodeURIComponent(type)}`)),
  ...["text/html; charset=B|A", "text/html|utf-8", "text/html; charset=A|unknown", "image/png|A"].flatMap((type) =>
    ["proxy", "override", "ignore", "bare"].map((name) => `/${name}/?${encodeURIComponent(type)}`),
  ),
  ...["/off/x.html", "/add/x.html", "/moved", "/text", "/error"],
];

function normal(text: string, server: TestServer): string {
  return text
    .replaceAll(String(server.port), "PORT")
    .replace(/nginx\/[\d.]+/g, "nginx/V")
    .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
    .replace(/Date: [^\r]*/g, "Date: D");
}

describe("charset", { timeout: 60_000 }, () => {
  let back: BackEnd;
  let ours: TestServer;
  let theirs: TestServer | undefined;

  before(async () => {
    back = await BackEnd.listen(reply);
    const http = configuration(back.address);
    ours = await TestServer.start(http, { files: FILES });
    if (nginx !== undefined) theirs = await TestServer.start(http, { binary: nginx, files: FILES });
    for (const server of [ours, theirs]) {
      for (const name of Object.keys(FILES)) {
        if (server !== undefined) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
      }
    }
  });

  after(async () => {
    await ours.stop();
    await theirs?.stop();
    back.close();
  });

  for (const lines of ["", "Range: bytes=0-1\r\n"]) {
    test(`answers are nginx's${lines === "" ? "" : ", ranges too"}`, {
      skip: nginx === undefined && "nginx is not installed",
    }, async () => {
      await Promise.all(
        TARGETS.map(async (target) => {
          const request = `GET ${target} HTTP/1.0\r\nHost: h\r\n${lines}\r\n`;
          const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [request], 5000)));
          assert.ok(a !== undefined && b !== undefined);
          assert.equal(normal(a.text, ours), normal(b.text, theirs as TestServer), target);
        }),
      );
    });
  }

  test("a charset is named, and bytes are changed by the map", async () => {
    assert.match(await ours.get("/x.html"), /Content-Type: text\/html; charset=utf-8\r/);
    assert.match(await ours.get("/recode/x.html"), /charset=A\r[\s\S]*\r\n\r\nYZZ \?\n$/);
    assert.match(await ours.get("/add/x.html"), /\r\n\r\nYZZ \?\nYZZ \?\nXYZ \xe9\n$/);
  });
});
