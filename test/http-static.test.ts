/** Static files in depth: listings, several ranges, and what `open_file_cache` keeps; next to the nginx of this machine where that can tell. */
import assert from "node:assert/strict";
import {
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { installedNginx, TestServer } from "./http-server.ts";

const TIME_S = 1_700_000_000;
const TEXT = Array.from({ length: 40 }, (_, line) => `line ${line} of a file\n`).join("");

const CONFIGURATION = `
  access_log off; types { text/html html; text/plain txt; } root %DIR%/html;
  server {
    listen 127.0.0.1:%PORT%; server_name localhost;
    location /list/ { autoindex on; }
    location /utf8/ { alias %DIR%/html/list/; autoindex on; charset UTF-8; }
    location /short/ { alias %DIR%/html/list/; autoindex on; autoindex_exact_size off; autoindex_localtime on; }
    location /json/ { alias %DIR%/html/list/; autoindex on; autoindex_format json; }
    location /jsonp/ { alias %DIR%/html/list/; autoindex on; autoindex_format jsonp; }
    location /xml/ { alias %DIR%/html/list/; autoindex on; autoindex_format xml; }
    location /few/ { alias %DIR%/html/; max_ranges 2; charset UTF-8; }
    location /never/ { alias %DIR%/html/; max_ranges 0; }
    location /cached/ { open_file_cache max=10; open_file_cache_valid 1h; }
    location /errors/ { open_file_cache max=10; open_file_cache_valid 1h; open_file_cache_errors on; }
    location /fresh/ { open_file_cache max=10; open_file_cache_valid 0; open_file_cache_errors on; }
    location /twice/ { open_file_cache max=10; open_file_cache_valid 1h; open_file_cache_min_uses 2; }
    location /one/ { open_file_cache max=1; open_file_cache_valid 1h; }
    location /try/ { open_file_cache max=10; open_file_cache_valid 1h; open_file_cache_errors on; try_files $uri /try/other.txt; }
    location /folder/ { open_file_cache max=10; open_file_cache_valid 1h; index none.html page.html; }
  }`;

/** In bytes, one character each: long ones, of one and of several bytes, with what must be escaped, and no UTF-8. */
const NAMES = [
  "plain",
  "a b&c<d>\"e'f%g?h#i;j+k",
  "x".repeat(49),
  "y".repeat(50),
  "z".repeat(51),
  `${"x".repeat(46)}&&&&&&&`,
  bytes(`${"ä".repeat(49)}`),
  bytes(`${"ö".repeat(50)}`),
  bytes(`${"ü".repeat(51)}`),
  bytes(`${"é".repeat(45)}&<>&<>&`),
  bytes("😀 <smile>"),
  "\xff\xfe".repeat(30),
  "tab\tand\nnewline\\and\x01control",
];

function bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

async function start(binary?: string): Promise<TestServer> {
  const server = await TestServer.start(CONFIGURATION, binary === undefined ? {} : { binary });
  const list = path.join(server.folder, "html/list");
  mkdirSync(list);
  const at = (name: string): Buffer => Buffer.from(path.join(list, name), "latin1");
  const sizes = [0, 1, 9999, 10_000, 10_239, 10_240, 1_048_575, 1_048_576, 1_572_864, 3_000_000];
  for (const [index, name] of NAMES.entries()) writeFileSync(at(name), Buffer.alloc(sizes[index] ?? 5));
  for (const name of ["folder", `${"f".repeat(49)}`, "f".repeat(50), bytes("ß".repeat(49)), "z&folder"])
    mkdirSync(at(name));
  symlinkSync("plain", at("link"));
  symlinkSync("nowhere", at("lost"));
  writeFileSync(at(".hidden"), "");
  for (const name of readdirSync(list, "latin1")) lutimesSync(at(name), TIME_S, TIME_S);
  for (const name of ["cached", "errors", "fresh", "twice", "one", "try", "folder"])
    mkdirSync(path.join(server.folder, "html", name));
  writeFileSync(path.join(server.folder, "html/text.html"), TEXT);
  utimesSync(path.join(server.folder, "html/text.html"), TIME_S, TIME_S);
  return server;
}

let server: TestServer;
before(async () => {
  server = await start();
});
after(() => server.stop());

const nginx = installedNginx();
const skip = nginx === undefined ? "no nginx is installed here" : false;

/** Without what differs from run to run, and from version to version. */
function plain(text: string): string {
  const boundary = /boundary=(\d+)/.exec(text)?.[1] ?? "no boundary";
  return text
    .replace(/^(?:Server|Date): .*\r\n/gm, "")
    .replaceAll(/nginx\/[\d.]+/g, "nginx")
    .replaceAll(boundary, "B");
}

describe("listings", () => {
  test("cut long names at columns, by characters where the listing is UTF-8", async () => {
    const utf8 = await server.get("/utf8/");
    const plainText = await server.get("/list/");
    const line = (text: string, label: string): boolean => text.includes(`">${label}`);
    assert.ok(line(plainText, `${bytes("ü".repeat(51)).slice(0, 47)}..&gt;</a> `));
    assert.ok(line(utf8, `${bytes("ü".repeat(47))}..&gt;</a> `));
    assert.ok(line(utf8, `${bytes("ö".repeat(50))}</a> `));
    assert.ok(line(utf8, `${bytes("ß".repeat(49))}/</a> `));
    assert.ok(line(utf8, `${bytes("é".repeat(45))}&amp;&lt;..&gt;</a> `));
    assert.ok(line(utf8, `${"\xff\xfe".repeat(30).slice(0, 47)}..&gt;</a> `), "no UTF-8: by bytes");
    assert.ok(line(plainText, `${"z".repeat(47)}..&gt;</a> `));
    assert.ok(line(plainText, `${"y".repeat(50)}</a> `));
    assert.doesNotMatch(plainText, /\.hidden/);
  });

  test("are those of nginx in every format", { skip }, async () => {
    const theirs = await start(nginx);
    try {
      const targets =
        "/list/ /utf8/ /short/ /json/ /jsonp/ /jsonp/?callback=a.b_1 /jsonp/?callback=a-b /xml/ /list/folder/ /list/none/ /utf8/%22/";
      for (const target of targets.split(" "))
        assert.equal(plain(await server.get(target)), plain(await theirs.get(target)), target);
    } finally {
      await theirs.stop();
    }
  });
});

describe("several ranges", () => {
  test("come in parts, each with its own head", async () => {
    const text = await server.get("/text.html", "Range: bytes=0-3,10-19,-5");
    const boundary = /^Content-Type: multipart\/byteranges; boundary=(\d{20})\r$/m.exec(text)?.[1] ?? "";
    const total = TEXT.length;
    const part = (from: number, to: number): string =>
      `\r\n--${boundary}\r\nContent-Type: text/html\r\nContent-Range: bytes ${from}-${to - 1}/${total}\r\n\r\n${TEXT.slice(from, to)}`;
    const body = `${part(0, 4)}${part(10, 20)}${part(total - 5, total)}\r\n--${boundary}--\r\n`;
    assert.equal(text.slice(text.indexOf("\r\n\r\n") + 4), body);
    assert.match(text, new RegExp(`^HTTP/1\\.1 206 .*Content-Length: ${body.length}\\r$`, "ms"));
    assert.doesNotMatch(text.slice(0, text.indexOf("\r\n\r\n")), /Content-Range/);
  });

  test("are understood as nginx understands them", { skip }, async () => {
    const theirs = await start(nginx);
    const values =
      "0-0,-1 0-3,10-19 0-3, 0-3,2-5 900000-,0-1 5-4,0-1 0-1,x 0-,1- -0,0-1 0-99999,1-2 1-2,3-4,5-6 -900000,0-1 0--1 ,0-1 0-1,, 18446744073709551616-,0-1 0-3,5-";
    try {
      for (const location of ["/", "/few/", "/never/"]) {
        for (const value of values.split(" ")) {
          for (const more of [[], ['If-Range: "x"'], ["If-Range: Tue, 14 Nov 2023 22:13:20 GMT"]]) {
            const lines = [`Range: bytes=${value}`, ...more];
            const target = `${location}text.html`;
            const [ours, other] = await Promise.all([server.get(target, ...lines), theirs.get(target, ...lines)]);
            assert.equal(plain(ours), plain(other), `${target} ${lines.join()}`);
          }
        }
      }
    } finally {
      await theirs.stop();
    }
  });
});

describe("open_file_cache", () => {
  const file = (name: string): string => path.join(server.folder, "html", name);
  /** Puts another file in the place of what is there, as editors do. */
  const replace = (name: string, text: string): void => {
    writeFileSync(`${file(name)}.new`, text);
    renameSync(`${file(name)}.new`, file(name));
  };
  const body = async (target: string): Promise<string> => {
    const text = await server.get(target);
    return /^HTTP\/1\.1 200/.test(text) ? text.slice(text.indexOf("\r\n\r\n") + 4) : text.slice(9, 12);
  };

  /** Files below html that the processes of the server have open. */
  function openFiles(): readonly string[] {
    const pids = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8").trim().split(/ +/);
    const links = [String(server.pid), ...pids].flatMap((pid) => {
      const fds = `/proc/${pid}/fd`;
      return readdirSync(fds).map((fd) => {
        try {
          return readlinkSync(path.join(fds, fd));
        } catch {
          return "";
        }
      });
    });
    const root = path.join(server.folder, "html/");
    return links.filter((link) => link.startsWith(root)).map((link) => link.slice(root.length));
  }

  test("serves what it has open, however the file has changed", async () => {
    replace("cached/a.txt", "first");
    assert.equal(await body("/cached/a.txt"), "first");
    assert.deepEqual(openFiles(), ["cached/a.txt"]);
    replace("cached/a.txt", "the second one");
    assert.equal(await body("/cached/a.txt"), "first");
    rmSync(file("cached/a.txt"));
    assert.equal(await body("/cached/a.txt"), "first");
    assert.equal(await body("/cached/none.txt"), "404");
    replace("cached/none.txt", "there now");
    assert.equal(await body("/cached/none.txt"), "there now");
  });

  test("remembers what is missing only when errors are kept", async () => {
    assert.equal(await body("/errors/a.txt"), "404");
    replace("errors/a.txt", "there now");
    assert.equal(await body("/errors/a.txt"), "404");
  });

  test("looks again when its time is over", async () => {
    replace("fresh/a.txt", "first");
    assert.equal(await body("/fresh/a.txt"), "first");
    replace("fresh/a.txt", "second");
    assert.equal(await body("/fresh/a.txt"), "second");
    rmSync(file("fresh/a.txt"));
    assert.equal(await body("/fresh/a.txt"), "404");
    assert.match(server.log("error.log"), /stat\(\) "\S+fresh\/a\.txt" failed \(2: No such file or directory\)/);
    assert.equal(await body("/fresh/a.txt"), "404");
    assert.match(server.log("error.log"), /open\(\) "\S+fresh\/a\.txt" failed \(2: No such file or directory\)/);
    replace("fresh/a.txt", "third");
    assert.equal(await body("/fresh/a.txt"), "third");
  });

  test("keeps a file open from its second use on when it shall", async () => {
    replace("twice/a.txt", "first");
    assert.equal(await body("/twice/a.txt"), "first");
    assert.ok(!openFiles().includes("twice/a.txt"));
    replace("twice/a.txt", "second");
    assert.equal(await body("/twice/a.txt"), "second");
    assert.ok(openFiles().includes("twice/a.txt"));
    replace("twice/a.txt", "third");
    assert.equal(await body("/twice/a.txt"), "second");
  });

  test("keeps no more than it may", async () => {
    for (const name of ["a", "b"]) replace(`one/${name}.txt`, name);
    assert.equal(await body("/one/a.txt"), "a");
    assert.equal(await body("/one/b.txt"), "b");
    assert.deepEqual(
      openFiles().filter((name) => name.startsWith("one/")),
      ["one/b.txt"],
    );
  });

  test("is asked by try_files and index too", async () => {
    replace("try/other.txt", "other");
    assert.equal(await body("/try/a.txt"), "other");
    replace("try/a.txt", "there now");
    assert.equal(await body("/try/a.txt"), "other");
    replace("folder/page.html", "page");
    assert.equal(await body("/folder/"), "page");
    rmSync(file("folder/page.html"));
    assert.equal(await body("/folder/"), "page");
  });
});
