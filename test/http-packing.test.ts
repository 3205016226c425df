/**
 * Answers that are compressed with brotli and zstd: heads and choices as ngx_brotli and zstd-nginx-module have them, bodies that unpack to what was
 * there. `PACKING_NGINX` names an nginx with both modules (zstd added before brotli) to compare with.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { bind } from "../src/conf/bind.ts";
import { parse } from "../src/conf/nginx/parser.ts";
import { lackOf } from "../src/os/compression.ts";
import { nginxCatalog } from "../src/process/nginx-configuration.ts";
import { nginxKinds } from "../src/process/nginx-kinds.ts";

import { exchange, OURS, TestServer } from "./http-server.ts";
import { BackEnd, ok, type Reply, type Seen } from "./support/back-end.ts";
import { unpackZstd } from "./support/zstd.ts";

const MODIFIED_S = 1_700_000_000;
const TEXT = "All work and no play makes Jack a dull boy. ".repeat(50);
const LARGE = Array.from({ length: 60_000 }, (_, line) => `line ${(line * 7919) % 10_007} of the file\n`).join("");
const MOST_BYTES = 4 << 20;

interface Coding {
  /** In directives. */
  readonly word: "brotli" | "zstd";
  /** In Accept-Encoding and Content-Encoding. */
  readonly token: string;
  readonly suffix: string;
  /** Unpacks what there is; `isWhole`: to its end. */
  unpack(packed: Buffer, isWhole: boolean): string;
}

const CODINGS: readonly Coding[] = [
  {
    word: "brotli",
    token: "br",
    suffix: "br",
    unpack: (packed, isWhole) =>
      brotliDecompressSync(packed, isWhole ? {} : { finishFlush: constants.BROTLI_OPERATION_FLUSH }).toString("latin1"),
  },
  {
    word: "zstd",
    token: "zstd",
    suffix: "zst",
    unpack: (packed, isWhole) => unpackZstd(packed, isWhole, MOST_BYTES).toString("latin1"),
  },
];

let release = (): void => {};

function reply({ text }: Seen): Reply {
  switch (/^\S+ \/(\S*)/.exec(text)?.[1]) {
    case "drip":
      return (socket) => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        release = () => socket.write("3\r\ntwo\r\n0\r\n\r\n");
      };
    case "packed":
      return ok(gzipSync(TEXT).toString("latin1"), "Content-Type: text/html", "Content-Encoding: gzip");
    case "identity":
      return ok(TEXT, "Content-Type: text/html", "Content-Encoding: x");
    case "500":
      return `HTTP/1.1 500 No\r\nContent-Type: text/html\r\nContent-Length: ${TEXT.length}\r\n\r\n${TEXT}`;
    case "404":
      return `HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: ${TEXT.length}\r\n\r\n${TEXT}`;
    default:
      return ok(TEXT, "Content-Type: text/html", 'ETag: "x"');
  }
}

const configuration = ({ word }: Coding, back: string): string => `
  proxy_temp_path %DIR%/proxy; types { text/html html; text/css css; text/plain txt; } root %DIR%/html;
  proxy_http_version 1.1; log_format ratio '$uri [$${word}_ratio] $body_bytes_sent'; access_log logs/ratio.log ratio;
  ${word} on; gzip_vary on;
  server {
    listen 127.0.0.1:%PORT%;
    location / { }
    location /small/ { ${word}_comp_level ${word === "brotli" ? 11 : 19}; ${word}_buffers 4 8k; alias %DIR%/html/; }
    location /fast/ { ${word}_comp_level ${word === "brotli" ? 0 : -5}; ${word === "brotli" ? "brotli_window 1k;" : ""} alias %DIR%/html/; }
    location /css/ { ${word}_types text/css; alias %DIR%/html/; }
    location /any/ { ${word}_types *; gzip_vary off; alias %DIR%/html/; }
    location /off/ { ${word} off; alias %DIR%/html/; }
    location /long/ { ${word}_min_length 3000; alias %DIR%/html/; }
    location /add/ { add_before_body /short.html; add_after_body /page.html; alias %DIR%/html/; }
    location /all/ { gzip on; brotli on; zstd on; alias %DIR%/html/; }
    location /gzip/ { gzip on; alias %DIR%/html/; }
    location /static/ { ${word} off; ${word}_static on; alias %DIR%/html/; }
    location /plain-static/ { ${word} off; ${word}_static on; gzip_vary off; alias %DIR%/html/; }
    location /always/ { ${word} off; ${word}_static always; alias %DIR%/html/; }
    location /both/ { ${word} off; ${word}_static on; gzip_static on; alias %DIR%/html/; }
    location /back/ { proxy_pass http://${back}/; }
    location /unpacked/ { gunzip on; proxy_pass http://${back}/; }
    location /flushed/ { proxy_pass http://${back}/; proxy_buffering off; }
    location /limited { limit_rate 200k; alias %DIR%/html/large.html; }
  }`;

const filesFor = ({ suffix }: Coding): Record<string, string> => ({
  "html/page.html": TEXT,
  "html/page.css": TEXT,
  "html/page.txt": TEXT,
  "html/short.html": "under 20 bytes",
  "html/empty.html": "",
  "html/large.html": LARGE,
  "html/given.html": TEXT,
  [`html/given.html.${suffix}`]: "it is not looked at",
  "html/given.html.gz": "nor is this",
  [`html/folder.html.${suffix}/x`]: "",
  "html/folder.html": TEXT,
});

/** One answer: its head, and its body out of its chunks. */
function take(text: string): { readonly head: string; readonly body: Buffer } {
  const end = text.indexOf("\r\n\r\n") + 4;
  const head = text.slice(0, end);
  if (!/^Transfer-Encoding: chunked\r$/m.test(head)) return { head, body: Buffer.from(text.slice(end), "latin1") };
  let body = "";
  for (let at = end; ; ) {
    const line = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (line < 0 || size === 0) return { head, body: Buffer.from(body, "latin1") };
    body += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
}

const encodingOf = (head: string): string => /^Content-Encoding: (.*)\r$/m.exec(head)?.[1] ?? "";

function unpacked(text: string): string {
  const { head, body } = take(text);
  const encoding = encodingOf(head);
  const coding = CODINGS.find(({ token }) => token === encoding);
  if (coding !== undefined) return coding.unpack(body, true);
  return encoding === "gzip" ? gunzipSync(body).toString("latin1") : body.toString("latin1");
}

const WEIGHTS: readonly (readonly [list: string, taken: boolean])[] = [
  ["X", true],
  ["gzip, X", true],
  ["gzip,X;q=0.5,deflate", true],
  ["X;q=1", true],
  ["X; q=0.001", true],
  ["X;q=0", false],
  ["X; q=0.0", false],
  ["X;q=0.000", false],
  ["X ; q = 0.00, gzip", false],
  ["xX", false],
  ["Xx", false],
  ["x-X", false],
  ["gzip", false],
  ["*", false],
  ["", false],
];

const there = (coding: Coding): boolean | string => {
  const lack = lackOf(coding.word);
  return lack !== undefined && `"${coding.word}" ${lack}`;
};

for (const coding of CODINGS) {
  const { word, token } = coding;
  const packed = new RegExp(`^Content-Encoding: ${token}\r$`, "m");
  describe(word, { skip: there(coding) }, () => {
    let back: BackEnd;
    let ours: TestServer;
    let theirs: TestServer | undefined;
    const nginx = process.env["PACKING_NGINX"];

    before(async () => {
      back = await BackEnd.listen(reply);
      const http = configuration(coding, back.address);
      const files = filesFor(coding);
      ours = await TestServer.start(http, { files });
      if (nginx !== undefined) theirs = await TestServer.start(http, { binary: nginx, files });
      for (const server of [ours, theirs])
        for (const name of Object.keys(files))
          if (server !== undefined) utimesSync(path.join(server.folder, name), MODIFIED_S, MODIFIED_S);
    });

    after(async () => {
      await ours.stop();
      await theirs?.stop();
      back.close();
    });

    const request = (target: string, { method = "GET", accept = token, lines = "", close = true } = {}): string =>
      `${method} ${target} HTTP/1.1\r\nHost: h\r\n${accept === "" ? "" : `Accept-Encoding: ${accept}\r\n`}${lines}${close ? "Connection: close\r\n" : ""}\r\n`;

    const get = async (target: string, options = {}): Promise<string> =>
      (await exchange(ours.port, [request(target, options)], 5000)).text;

    test("an answer that is worth it is compressed", async () => {
      const text = await get("/page.html");
      const { head, body } = take(text);
      assert.equal(encodingOf(head), token);
      assert.match(head, /^Vary: Accept-Encoding\r$/m);
      assert.match(head, /^ETag: W\/"[0-9a-f]+-[0-9a-f]+"\r$/m);
      assert.doesNotMatch(head, /^(Content-Length|Accept-Ranges):/m);
      assert.ok(body.length < TEXT.length / 10);
      assert.equal(unpacked(text), TEXT);
    });

    test("bodies unpack to what was there", async () => {
      for (const [target, expected] of [
        ["/large.html", LARGE],
        ["/small/page.html", TEXT],
        ["/fast/large.html", LARGE],
        ["/add/page.html", `under 20 bytes${TEXT}${TEXT}`],
        ["/back/", TEXT],
        ["/back/404", TEXT],
        ["/any/page.txt", TEXT],
        ["/css/page.css", TEXT],
        ["/css/page.html", TEXT],
      ] as const) {
        const text = await get(target);
        assert.match(take(text).head, packed, target);
        assert.ok(unpacked(text) === expected, target);
      }
    });

    test("other answers are left as they are", async () => {
      for (const [target, varies] of [
        ["/short.html", false],
        ["/empty.html", false],
        ["/page.txt", false],
        ["/css/page.txt", false],
        ["/off/page.html", false],
        ["/long/page.html", false],
        ["/back/500", false],
        ["/back/identity", false],
        ["/any/short.html", false],
      ] as const) {
        const { head } = take(await get(target));
        assert.doesNotMatch(head, packed, target);
        assert.equal(/^Vary:/m.test(head), varies, target);
      }
      const { head } = take(await get("/page.html", { accept: "" }));
      assert.match(head, /^Content-Length: 2200\r\n[\s\S]*^Vary: Accept-Encoding\r$/m);
      assert.doesNotMatch(take(await get("/any/page.html")).head, /^Vary:/m);
    });

    test("the client's list decides: whole words, and no weight of zero", async () => {
      for (const [list, taken] of WEIGHTS) {
        const accept = list.replaceAll("X", token);
        const { head } = take(await get("/page.html", { accept }));
        assert.equal(packed.test(head), taken, accept);
      }
      assert.match(take(await get("/page.html", { accept: token.toUpperCase() })).head, packed);
    });

    test("HEAD has the head of GET", async () => {
      const [head, { head: whole, body }] = [
        await get("/page.html", { method: "HEAD" }),
        take(await get("/page.html")),
      ];
      const lasting = (text: string): string => text.replace(/^(?:Date|Transfer-Encoding): .*\r\n/gm, "");
      assert.equal(lasting(head), lasting(whole));
      assert.ok(body.length > 0);
    });

    test("ranges are of no use to a body that is made while it is sent", async () => {
      const text = await get("/page.html", { lines: "Range: bytes=0-9\r\n" });
      assert.match(text, /^HTTP\/1.1 200 OK/);
      assert.equal(unpacked(text), TEXT);
    });

    test("a client that has it already is told so", async () => {
      const etag = /^ETag: (.*)\r$/m.exec(await get("/page.html"))?.[1];
      assert.match(await get("/page.html", { lines: `If-None-Match: ${etag}\r\n` }), /^HTTP\/1.1 304 /);
    });

    test("an answer that is packed already is left as it is, or unpacked first where that is wanted", async () => {
      const left = await get("/back/packed");
      assert.equal(encodingOf(take(left).head), "gzip");
      assert.equal(unpacked(left), TEXT);
      const unpackedFirst = await get("/unpacked/packed");
      assert.equal(encodingOf(take(unpackedFirst).head), token);
      assert.equal(unpacked(unpackedFirst), TEXT);
    });

    test("where several codings are on, zstd comes before br, and br before gzip", {
      skip: CODINGS.map(there).find((lack) => lack !== false) ?? false,
    }, async () => {
      for (const [accept, chosen] of [
        ["gzip, br, zstd", "zstd"],
        ["zstd;q=0.1, br, gzip", "zstd"],
        ["gzip, br", "br"],
        ["gzip, br;q=0", "gzip"],
        ["zstd;q=0, br;q=0, gzip;q=0", ""],
      ] as const) {
        const text = await get("/all/page.html", { accept });
        assert.equal(encodingOf(take(text).head), chosen, accept);
        assert.equal(unpacked(text), TEXT);
      }
      assert.equal(encodingOf(take(await get("/gzip/page.html", { accept: `gzip, ${token};q=0` })).head), "gzip");
    });

    test("answers one after another on a connection are streams of their own", async () => {
      const all = ["/page.html", "/small/page.html", "/page.html"].map((target, at) =>
        request(target, { close: at === 2 }),
      );
      const { text } = await exchange(ours.port, [all.join("")], 5000);
      assert.deepEqual(text.split(/(?=HTTP\/1\.1 200 OK)/).map(unpacked), [TEXT, TEXT, TEXT]);
    });

    test("without buffering a client has what the back end has sent so far", async () => {
      const socket = net.connect(ours.port, "127.0.0.1");
      let text = "";
      socket.on("data", (data) => (text += data.toString("latin1")));
      socket.write(request("/flushed/drip"));
      for (let tries = 0; tries < 300 && take(text).body.length === 0; tries++) await sleep(10);
      assert.equal(coding.unpack(take(text).body, false), "one");
      release();
      await new Promise((resolve) => socket.on("end", resolve));
      assert.equal(unpacked(text), "onetwo");
      socket.destroy();
    });

    test("a slow client gets a large file whole, and one that is limited too", async () => {
      for (const target of ["/large.html", "/limited"]) {
        const socket = net.connect(ours.port, "127.0.0.1");
        socket.write(request(target));
        socket.pause();
        await sleep(150);
        let text = "";
        for await (const data of socket) text += (data as Buffer).toString("latin1");
        assert.ok(unpacked(text) === LARGE, target);
      }
    });

    test("a client that goes in the middle leaves nothing for the next one", async () => {
      for (let i = 0; i < 5; i++) {
        const socket = net.connect(ours.port, "127.0.0.1");
        socket.write(request("/large.html"));
        await new Promise((resolve) => socket.once("data", resolve));
        socket.destroy();
      }
      assert.ok(unpacked(await get("/large.html")) === LARGE);
      assert.doesNotMatch(ours.log("error.log"), /\[alert\]/);
    });

    test("the log tells the ratio of what was compressed to its end", async () => {
      const { body } = take(await get("/back/ratio"));
      await get("/off/page.html");
      const ratio = TEXT.length / body.length;
      const shown = word === "brotli" ? ratio.toFixed(2) : (Math.floor(ratio * 1000) / 1000).toFixed(3);
      for (let tries = 0; tries < 100 && !ours.log("ratio.log").includes("/off/page.html"); tries++) await sleep(10);
      assert.match(ours.log("ratio.log"), new RegExp(`/back/ratio \\[${shown}\\] \\d+\n`));
      assert.match(ours.log("ratio.log"), /\/off\/page\.html \[-\] \d+\n/);
    });

    test("a packed file is sent instead of the file", async () => {
      const text = await get("/static/given.html");
      assert.equal(take(text).body.toString(), "it is not looked at");
      for (const line of [
        `Content-Encoding: ${token}`,
        "Content-Type: text/html",
        "Content-Length: 19",
        "Vary: Accept-Encoding",
      ])
        assert.match(text, new RegExp(`^${line}\r$`, "m"));
      // Unlike gzip_static, the modules do not offer parts of it.
      assert.match(await get("/static/given.html", { lines: "Range: bytes=0-1\r\n" }), /^HTTP\/1.1 200 /);
      assert.match(await get("/static/given.html", { method: "HEAD" }), /Content-Length: 19\r\n[\s\S]*\r\n\r\n$/);
      assert.match(await get("/always/given.html", { accept: "" }), packed);
      assert.doesNotMatch(await get("/always/given.html"), /^Vary:/m);
    });

    test("a packed file is sent to who takes it only, and only if it is one", async () => {
      for (const [target, accept, varies] of [
        ["/static/given.html", "gzip", true],
        ["/static/given.html", `${token};q=0`, true],
        ["/plain-static/given.html", "gzip", false],
        ["/static/folder.html", token, true],
        ["/static/page.html", token, word === "brotli"],
        ["/static/page.html", "gzip", word === "brotli"],
        ["/static/given.html/", token, false],
      ] as const) {
        const text = await get(target, { accept });
        assert.doesNotMatch(text, /^Content-Encoding:/m, `${target} ${accept}`);
        assert.equal(/^Vary:/m.test(text), varies, `${target} ${accept}`);
      }
      assert.equal(encodingOf(take(await get("/both/given.html", { accept: `gzip, ${token}` })).head), token);
      assert.equal(encodingOf(take(await get("/both/given.html", { accept: "gzip" })).head), "gzip");
    });

    test("heads and bodies are those of nginx with this module", {
      skip: nginx === undefined && "PACKING_NGINX is not set",
    }, async () => {
      const targets = [
        "page.html",
        "page.css",
        "page.txt",
        "short.html",
        "empty.html",
        "given.html",
        "folder.html",
        "none.html",
      ];
      const places = [
        "/",
        "/css/",
        "/any/",
        "/off/",
        "/long/",
        "/add/",
        "/all/",
        "/static/",
        "/plain-static/",
        "/always/",
      ];
      const all = [
        ...places.flatMap((place) => targets.map((name) => `${place}${name}`)),
        ...["/back/", "/back/404", "/back/500", "/back/packed", "/back/identity", "/unpacked/packed"],
      ];
      const normal = (server: TestServer, text: string): string =>
        take(text)
          .head.replaceAll(String(server.port), "PORT")
          .replace(/nginx\/[\d.]+/g, "nginx/V")
          .replace(/Content-Length: 1[45678]\d\r/g, "Content-Length: PAGE\r")
          .replace(/Date: [^\r]*/g, "Date: D");
      for (const method of ["GET", "HEAD"])
        for (const accept of [token, `gzip, ${token}`, "gzip, br, zstd", "gzip", ""])
          for (const target of all) {
            const bytes = request(target, { method, accept });
            const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [bytes], 5000)));
            assert.ok(a !== undefined && b !== undefined);
            assert.equal(normal(ours, a.text), normal(theirs as TestServer, b.text), bytes);
            const page = (text: string): string => unpacked(text).replace(/nginx\/[\d.]+/, "");
            if (method === "GET" && !/given/.test(target)) assert.ok(page(a.text) === page(b.text), bytes);
          }
      for (const [list] of WEIGHTS) {
        // zstd-nginx-module does not look at weights.
        if (word === "zstd" && /q|x/.test(list)) continue;
        const bytes = request("/page.html", { accept: list.replaceAll("X", token) });
        const [a, b] = await Promise.all([ours, theirs].map((one) => exchange(one?.port ?? 0, [bytes], 5000)));
        assert.equal(encodingOf(take(a?.text ?? "").head), encodingOf(take(b?.text ?? "").head), bytes);
      }
    });
  });
}

test("what is wrong with the settings is said in the modules' words", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-packing-"));
  const judge = (line: string): string => {
    const file = path.join(folder, "nginx.conf");
    writeFileSync(
      file,
      `pid ${folder}/p; error_log ${folder}/e; events {}\nhttp { ${line} server { listen 127.0.0.1:1; } }`,
    );
    const { stderr } = spawnSync(OURS, ["-t", "-p", folder, "-c", file], { encoding: "utf8" });
    return /\[emerg\] (.*) in \S+:2$/m.exec(stderr)?.[1] ?? "ok";
  };
  const window = "must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m";
  const level = "zstd compress level must between -131072 and 22 excluding 0";
  for (const [line, says] of [
    ["brotli_comp_level 11; brotli_window 16m; brotli_buffers 16 8k; brotli_min_length 1k; brotli_types *;", "ok"],
    ["brotli_comp_level 12;", "value must be between 0 and 11"],
    ["brotli_window 512;", `"brotli_window" directive ${window}`],
    ["brotli_window 3k;", `"brotli_window" directive ${window}`],
    ["brotli_window 32m;", `"brotli_window" directive ${window}`],
    ["brotli maybe;", 'invalid value "maybe" in "brotli" directive, it must be "on" or "off"'],
    ["brotli_static maybe;", 'invalid value "maybe"'],
    ["zstd_comp_level 22; zstd_buffers 16 8k; zstd_min_length 1k; zstd_types *; zstd_static always;", "ok"],
    ["zstd_comp_level -131072;", "ok"],
    ["zstd_comp_level 0;", level],
    ["zstd_comp_level 23;", level],
    ["zstd_comp_level -131073;", level],
    ["zstd_comp_level x;", '"zstd_comp_level" directive invalid number'],
    ["zstd_dict_file x;", 'unknown directive "zstd_dict_file"'],
  ] as const)
    assert.equal(judge(line), says, line);
  rmSync(folder, { recursive: true });
});

test("a coding that this machine lacks the library of is refused, with what is missing", () => {
  const judge = (line: string): readonly string[] => {
    const text = `events {} http { ${line} }`;
    const { diagnostics } = bind([parse(text, { file: "/f" })], nginxCatalog(nginxKinds), {
      prefix: "/",
      confPrefix: "/",
      lackOf: (need) => `lacks ${need}`,
    });
    return diagnostics.map(({ message }) => message);
  };
  assert.deepEqual(judge("brotli on;"), ['"brotli" directive lacks brotli']);
  assert.deepEqual(judge("zstd on;"), ['"zstd" directive lacks zstd']);
  assert.deepEqual(judge("brotli off; zstd off; brotli_static on; zstd_static on;"), []);
});
