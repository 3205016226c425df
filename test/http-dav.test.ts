/** WebDAV's methods that change files: what the client is told, what the log says, and what is in the folders afterwards. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { installedNginx, TestServer } from "./http-server.ts";

const METHODS = "dav_methods PUT DELETE MKCOL COPY MOVE;";
const TIME_S = 1_700_000_000;
const OTHER_DEVICE = "/dev/shm";
/** A second file system to move files to and from, where there is one. */
const hasOtherDevice = existsSync(OTHER_DEVICE) && statSync(OTHER_DEVICE).dev !== statSync("/tmp").dev;

const configuration = (far: string): string => `
  access_log off; absolute_redirect off; root %DIR%/html; client_body_buffer_size 1k;
  server {
    listen 127.0.0.1:%PORT%; server_name localhost;
    location / { ${METHODS} }
    location /full/ { ${METHODS} create_full_put_path on; }
    location /deep/ { ${METHODS} min_delete_depth 3; }
    location /access/ { ${METHODS} dav_access group:rw all:r; }
    location /few/ { dav_methods PUT MOVE; }
    location /off/ { dav_methods off; }
    location /alias-of-much/ { alias %DIR%/html/aliased/; ${METHODS} }
    location /far/ { ${METHODS} root ${far}; create_full_put_path on; client_body_temp_path %DIR%/body; }
    location /near/ { ${METHODS} create_full_put_path on; client_body_temp_path ${far}/body; }
    location /kept/ { ${METHODS} client_body_in_file_only on; client_body_temp_path %DIR%/kept; }
    location /mirrored/ { mirror /mirror; ${METHODS} }
    location = /mirror { internal; return 204; }
    location /absolute/ { ${METHODS} absolute_redirect on; }
    location /variable/ { ${METHODS} root %DIR%/html$arg_x; }
    location /small/ { ${METHODS} client_max_body_size 10; }
  }`;

let server: TestServer;
let far: string;

before(async () => {
  far = mkdtempSync(path.join(hasOtherDevice ? OTHER_DEVICE : "/tmp", "tandem-dav-"));
  server = await TestServer.start(configuration(far));
});
after(async () => {
  await server.stop();
  rmSync(far, { recursive: true });
});

const html = (...names: string[]): string => path.join(server.folder, "html", ...names);
const read = (...names: string[]): string => readFileSync(html(...names), "latin1");

/** Makes files by path below `html`; a name with a slash at its end makes a folder. */
function make(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(html(`${name}x`)), { recursive: true });
    if (!name.endsWith("/")) writeFileSync(html(name), text, "latin1");
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
  header(name: string): string | undefined;
}

async function ask(method: string, uri: string, lines: readonly string[] = [], body?: string): Promise<Answer> {
  const length = body === undefined ? [] : [`Content-Length: ${body.length}`];
  const head = [`${method} ${uri} HTTP/1.1`, "Host: localhost", "Connection: close", ...length, ...lines];
  const { text } = await server.exchange(`${head.join("\r\n")}\r\n\r\n${body ?? ""}`);
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]),
    text,
    header: (name) => new RegExp(`^${name}: (.*?)\r$`, "mi").exec(text)?.[1],
  };
}

let logStart = 0;
beforeEach(() => {
  rmSync(html(), { recursive: true });
  mkdirSync(html());
  logStart = server.log("error.log").length;
});

/** The messages of the test, without time, process and what belongs to the request. */
function logged(): readonly string[] {
  const lines = server.log("error.log").slice(logStart).split("\n");
  return lines.flatMap((line) => {
    const match = /\[(error|crit|alert)\] .*?: \*\d+ (.*?), client: /.exec(line);
    return match === null ? [] : [`${match[1]} ${match[2]?.replaceAll(server.folder, "")}`];
  });
}

async function expect(status: number, log: string | readonly string[], answer: Promise<Answer>): Promise<Answer> {
  const from = logged().length;
  const got = await answer;
  assert.equal(got.status, status, got.text);
  assert.deepEqual(logged().slice(from), typeof log === "string" ? (log === "" ? [] : [log]) : log);
  return got;
}

describe("PUT", () => {
  test("makes a file of the body and says where it is; a second one replaces it", async () => {
    const made = await expect(201, "", ask("PUT", "/one%20file%3F", [], "0123456789"));
    assert.equal(made.header("location"), "/one%20file%3F");
    assert.equal(made.header("content-length"), "0");
    assert.equal(made.header("content-type"), undefined);
    assert.equal(read("one file?"), "0123456789");
    assert.equal(statSync(html("one file?")).mode & 0o777, 0o600);
    const again = await expect(204, "", ask("PUT", "/one%20file%3F", [], "new"));
    assert.equal(again.header("content-length"), undefined);
    assert.equal(again.header("location"), undefined);
    assert.equal(read("one file?"), "new");
    assert.deepEqual(readdirSync(html()), ["one file?"]);
    assert.deepEqual(readdirSync(path.join(server.folder, "body")), []);
  });

  test("takes bodies that are larger than the buffer, come in pieces, or in chunks, or are empty", async () => {
    const large = "0123456789abcdef".repeat(20_000);
    await expect(201, "", ask("PUT", "/large", [], large));
    assert.equal(read("large"), large);
    const size = large.length.toString(16);
    const head = "PUT /chunks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    const { text } = await server.exchange(head, `${size}\r\n`, large, "\r\n3\r\n", "end\r\n0\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 201/);
    assert.equal(read("chunks"), `${large}end`);
    await expect(201, "", ask("PUT", "/empty", [], ""));
    assert.equal(read("empty"), "");
    const next = await server.exchange(
      "PUT /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyPUT /kept HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    );
    assert.match(next.text, /^HTTP\/1\.1 201.*\r\n\r\nHTTP\/1\.1 204/s);
    assert.equal(next.closed, false);
  });

  test("answers Expect: 100-continue first, and keeps to the largest size", async () => {
    const { text } = await ask("PUT", "/small/expected", ["Expect: 100-continue"], "1");
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 500/, "there is no folder /small");
    make({ "small/": "" });
    await expect(201, "", ask("PUT", "/small/right", [], "0123456789"));
    await expect(
      413,
      "error client intended to send too large body: 11 bytes",
      ask("PUT", "/small/wrong", [], "0123456789a"),
    );
    assert.deepEqual(readdirSync(html("small")), ["right"]);
  });

  test("refuses collections, ranges, and a request without any body", async () => {
    make({ "folder/": "" });
    await expect(409, "error cannot PUT to a collection", ask("PUT", "/x/", [], "body"));
    await expect(501, "error PUT with range is unsupported", ask("PUT", "/x", ["Content-Range: bytes 0-3/9"], "body"));
    await expect(
      409,
      'error "/html/folder" could not be created (21: Is a directory)',
      ask("PUT", "/folder", [], "body"),
    );
    await expect(500, "error PUT request body must be in a file", ask("PUT", "/x"));
    assert.deepEqual(readdirSync(html()), ["folder"]);
    assert.deepEqual(readdirSync(path.join(server.folder, "body")), []);
  });

  test("makes the folders on the way only when it may", async () => {
    const failed = await ask("PUT", "/no/such/file", [], "body");
    assert.equal(failed.status, 500);
    assert.match(
      logged()[0] ?? "",
      /^crit rename\(\) "\/body\/\d{10}" to "\/html\/no\/such\/file" failed \(2: No such file or directory\)$/,
    );
    assert.deepEqual(readdirSync(path.join(server.folder, "body")), []);
    await expect(201, "", ask("PUT", "/full/a/b/file", [], "body"));
    assert.equal(read("full/a/b/file"), "body");
    assert.equal(statSync(html("full/a")).mode & 0o777, 0o700);
    await expect(204, "", ask("PUT", "/full/a/b/file", [], "again"));
  });

  test("gives the file its mode, whatever the umask, and the time of a Date field that is one", async () => {
    make({ "access/": "" });
    await expect(201, "", ask("PUT", "/access/file", ["Date: Tue, 14 Nov 2023 22:13:20 GMT"], "body"));
    const { mode, mtimeMs } = statSync(html("access/file"));
    assert.equal(mode & 0o777, 0o664);
    assert.equal(mtimeMs, TIME_S * 1000);
    await expect(201, "", ask("PUT", "/undated", ["Date: yesterday"], "body"));
    assert.ok(Math.abs(statSync(html("undated")).mtimeMs - Date.now()) < 3_600_000);
  });

  test("answers with an absolute Location where redirects are absolute", async () => {
    make({ "absolute/": "" });
    const put = await expect(201, "", ask("PUT", "/absolute/x", [], "body"));
    assert.equal(put.header("location"), `http://localhost:${server.port}/absolute/x`);
    const made = await expect(201, "", ask("MKCOL", "/absolute/y/"));
    assert.equal(made.header("location"), `http://localhost:${server.port}/absolute/y/`);
  });

  test("moves the body to and from another file system by a copy", {
    skip: hasOtherDevice ? false : "there is no second file system at /dev/shm",
  }, async () => {
    const large = "across ".repeat(50_000);
    await expect(201, "", ask("PUT", "/far/a/b", ["Date: Tue, 14 Nov 2023 22:13:20 GMT"], large));
    assert.equal(readFileSync(path.join(far, "far/a/b"), "latin1"), large);
    assert.equal(statSync(path.join(far, "far/a/b")).mtimeMs, TIME_S * 1000);
    assert.deepEqual(readdirSync(path.join(far, "far/a")), ["b"]);
    await expect(201, "", ask("PUT", "/near/x", [], large));
    await expect(204, "", ask("PUT", "/near/x", [], "short"));
    assert.equal(read("near/x"), "short");
    for (const folder of [path.join(server.folder, "body"), path.join(far, "body")])
      assert.deepEqual(readdirSync(folder), []);
  });

  test("moves the body where bodies stay in files too; one that was read before it can't have", async () => {
    make({ "kept/": "", "mirrored/": "" });
    await expect(201, "", ask("PUT", "/kept/file", [], "body"));
    assert.equal(read("kept/file"), "body");
    await expect(409, "error cannot PUT to a collection", ask("PUT", "/kept/", [], "body"));
    assert.deepEqual(readdirSync(path.join(server.folder, "kept")), []);
    await expect(500, "error PUT request body must be in a file", ask("PUT", "/mirrored/file", [], "body"));
  });

  test("leaves nothing of a body whose client goes away", async () => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("PUT /partly HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbeginning");
    const body = path.join(server.folder, "body");
    for (let i = 0; i < 100 && readdirSync(body).length === 0; i++) {
      socket.write("more ".repeat(400));
      await sleep(20);
    }
    assert.equal(readdirSync(body).length, 1);
    socket.destroy();
    for (let i = 0; i < 100 && readdirSync(body).length > 0; i++) await sleep(20);
    assert.deepEqual([readdirSync(body), readdirSync(html())], [[], []]);
  });
});

describe("DELETE", () => {
  test("removes files, links and whole folders", async () => {
    make({ file: "x", "folder/sub/deep": "x", "folder/other": "x", kept: "stays" });
    symlinkSync("kept", html("link"));
    symlinkSync("../kept", html("folder/link"));
    symlinkSync("../elsewhere", html("folder/to-folder"));
    symlinkSync("nowhere", html("folder/to-nowhere"));
    make({ "elsewhere/file": "stays too" });
    const gone = await expect(204, "", ask("DELETE", "/file", ["Content-Length: 0"]));
    assert.equal(gone.header("content-length"), undefined);
    await expect(204, "", ask("DELETE", "/link"));
    await expect(204, "", ask("DELETE", "/folder/"));
    assert.deepEqual(readdirSync(html()), ["elsewhere", "kept"]);
    assert.deepEqual(
      readdirSync(html("elsewhere")),
      ["file"],
      "nginx empties the folder that a link leads to, and fails",
    );
  });

  test("says what is missing or is called by the wrong name", async () => {
    make({ "folder/": "", file: "x" });
    await expect(404, 'error lstat() "/html/none" failed (2: No such file or directory)', ask("DELETE", "/none"));
    await expect(409, 'error lstat() "/html/file/" failed (20: Not a directory)', ask("DELETE", "/file/"));
    await expect(409, 'error DELETE "/html/folder" failed (21: Is a directory)', ask("DELETE", "/folder"));
    const long = "x".repeat(300);
    await expect(404, `error lstat() "/html/${long}" failed (36: File name too long)`, ask("DELETE", `/${long}`));
    await expect(415, "error DELETE with body is unsupported", ask("DELETE", "/file", [], "body"));
    const { text } = await server.exchange(
      "DELETE /file HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert.match(text, /^HTTP\/1\.1 415/);
    assert.equal(read("file"), "x");
  });

  test("takes a Depth that suits", async () => {
    make({ "folder/file": "x", file: "x", more: "x" });
    const bad = (value: string): string => `error client sent invalid "Depth" header: "${value}"`;
    const onlyInfinity = 'error "Depth" header must be infinity';
    await expect(400, onlyInfinity, ask("DELETE", "/folder/", ["Depth: 0"]));
    await expect(400, onlyInfinity, ask("DELETE", "/folder/", ["Depth: 1"]));
    await expect(400, 'error "Depth" header must be 0 or infinity', ask("DELETE", "/file", ["Depth: 1"]));
    for (const value of ["2", "Infinity", "infinitely", ""])
      await expect(400, [bad(value), onlyInfinity], ask("DELETE", "/folder/", [`Depth: ${value}`]));
    await expect(204, "", ask("DELETE", "/file", ["Depth: 0"]));
    await expect(204, "", ask("DELETE", "/more", ["Depth: infinity", "Depth: 1"]));
    await expect(204, "", ask("DELETE", "/folder/", ["Depth: infinity"]));
  });

  test("spares what is not deep enough", async () => {
    make({ "deep/a/file": "x", "deep/top": "x" });
    const shallow = (depth: number): string => `error insufficient URI depth:${depth} to DELETE`;
    await expect(409, shallow(2), ask("DELETE", "/deep/top"));
    await expect(409, shallow(3), ask("DELETE", "/deep/a/"));
    await expect(204, "", ask("DELETE", "/deep/a/file"));
  });

  test("does not know methods that the location doesn't name", async () => {
    make({ "few/file": "x", "off/file": "x" });
    await expect(405, "", ask("DELETE", "/few/file"));
    await expect(405, "", ask("DELETE", "/off/file"));
    await expect(405, "", ask("PUT", "/off/file", [], "body"));
    await expect(204, "", ask("PUT", "/few/file", [], "body"));
  });
});

describe("MKCOL", () => {
  test("makes a folder and says where it is", async () => {
    const made = await expect(201, "", ask("MKCOL", "/a%20b/"));
    assert.equal(made.header("location"), "/a%20b/");
    assert.equal(made.header("content-length"), "0");
    assert.equal(statSync(html("a b")).mode & 0o777, 0o700);
    make({ "access/": "" });
    await expect(201, "", ask("MKCOL", "/access/x/"));
    // What the umask of the machine leaves of 0775.
    assert.equal(statSync(html("access/x")).mode & 0o755, 0o755);
    const aliased = await ask("MKCOL", "/alias-of-much/");
    assert.equal(aliased.status, 201);
    assert.ok(statSync(html("aliased")).isDirectory());
  });

  test("refuses bodies, names without a slash, what is there and what has no parent", async () => {
    make({ "folder/": "" });
    await expect(415, "error MKCOL with body is unsupported", ask("MKCOL", "/x/", [], "body"));
    await expect(409, "error MKCOL can create a collection only", ask("MKCOL", "/x"));
    await expect(405, 'error mkdir() "/html/folder" failed (17: File exists)', ask("MKCOL", "/folder/"));
    await expect(409, 'error mkdir() "/html/no/such" failed (2: No such file or directory)', ask("MKCOL", "/no/such/"));
  });
});

const to = (destination: string, ...more: string[]): string[] => [`Destination: ${destination}`, ...more];

describe("COPY and MOVE", () => {
  test("copy a file with its mode and time, and overwrite", async () => {
    make({ from: "source", there: "longer than the source" });
    chmodSync(html("from"), 0o640);
    utimesSync(html("from"), TIME_S, TIME_S);
    await expect(204, "", ask("COPY", "/from", to("/new%20name?and=more")));
    assert.equal(read("new name"), "source");
    assert.equal(statSync(html("new name")).mode & 0o777, 0o640);
    assert.equal(statSync(html("new name")).mtimeMs, TIME_S * 1000);
    await expect(204, "", ask("COPY", "/from", to(`http://localhost:${server.port}/there`)));
    assert.deepEqual([read("there"), read("from")], ["source", "source"]);
    await expect(204, "", ask("MOVE", "/from", to("http://localhost/moved")));
    assert.deepEqual([read("moved"), existsSync(html("from"))], ["source", false]);
    await expect(204, "", ask("MOVE", "/moved", to("/made/on/the/way")));
    assert.equal(read("made/on/the/way"), "source");
  });

  test("copy and move folders, with what is below", async () => {
    make({ "from/a": "a", "from/sub/b": "b", "from/sub/sub/": "" });
    symlinkSync("sub", html("from/link"));
    symlinkSync("nowhere", html("from/lost"));
    chmodSync(html("from/sub"), 0o750);
    chmodSync(html("from/a"), 0o604);
    for (const name of ["from/a", "from/sub/b", "from/sub"]) utimesSync(html(name), TIME_S, TIME_S);
    const lost = 'crit stat() "/html/from/lost" failed (2: No such file or directory)';
    const copied = await expect(201, lost, ask("COPY", "/from/", to("/to/")));
    assert.equal(copied.header("location"), undefined);
    assert.equal(copied.header("content-length"), "0");
    const names = "a link link/b link/sub sub sub/b sub/sub";
    assert.equal(readdirSync(html("to"), { recursive: true }).map(String).sort().join(" "), names);
    assert.equal(lstatSync(html("to/link")).isDirectory(), true);
    assert.equal(read("to/sub/b"), "b");
    assert.equal(statSync(html("to/a")).mode & 0o777, 0o604);
    assert.equal(statSync(html("to/sub")).mode & 0o777, 0o750);
    assert.deepEqual([statSync(html("to/a")).mtimeMs, statSync(html("to/sub")).mtimeMs], [TIME_S * 1e3, TIME_S * 1e3]);
    make({ "to/old": "x" });
    await expect(201, lost, ask("COPY", "//from//", to("/to/", "Overwrite: T")));
    assert.equal(existsSync(html("to/old")), false);
    await expect(201, "", ask("MOVE", "/from/", to("/to/")));
    assert.deepEqual(readdirSync(html()), ["to"]);
    assert.equal(lstatSync(html("to/link")).isSymbolicLink(), true);
    rmSync(html("to/lost"));
    await expect(201, "", ask("COPY", "/to/", to("/shallow/", "Depth: 0")));
    assert.equal(existsSync(html("shallow/a")), true, "nginx copies all of it");
  });

  test("move a folder to another file system by copying it", {
    skip: hasOtherDevice ? false : "there is no second file system at /dev/shm",
  }, async () => {
    make({ "dir/sub/file": "x", single: "one" });
    symlinkSync(far, html("mounted"));
    chmodSync(html("single"), 0o640);
    await expect(201, "", ask("MOVE", "/dir/", to("/mounted/dir/")));
    assert.equal(readFileSync(path.join(far, "dir/sub/file"), "latin1"), "x");
    await expect(204, "", ask("MOVE", "/single", to("/mounted/single")));
    assert.equal(statSync(path.join(far, "single")).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(html()), ["mounted"]);
  });

  test("stop at what may not be overwritten", async () => {
    make({ from: "new", there: "old", "folder/": "" });
    const taken = 'error "/html/there" could not be created (17: File exists)';
    for (const word of ["F", "f"]) await expect(412, taken, ask("COPY", "/from", to("/there", `Overwrite: ${word}`)));
    assert.equal(read("there"), "old");
    for (const word of ["X", "TRUE", ""]) {
      const log = `error client sent invalid "Overwrite" header: "${word}"`;
      await expect(400, log, ask("COPY", "/from", to("/there", `Overwrite: ${word}`)));
    }
    await expect(204, "", ask("COPY", "/from", to("/there", "Overwrite: t")));
    await expect(204, "", ask("MOVE", "/from", to("/elsewhere", "Overwrite: F")));
  });

  test("want a Destination on the same host, of the same kind, that is safe", async () => {
    make({ from: "x", "folder/": "", "alias-of-much/": "", "aliased/x": "x" });
    const invalid = (value: string): string => `error client sent invalid "Destination" header: "${value}"`;
    await expect(400, 'error client sent no "Destination" header', ask("COPY", "/from"));
    for (const value of ["ftp://localhost/x", "http://localhost", "HTTP://localhost/x", "x", "", "http:/x"])
      await expect(400, invalid(value), ask("COPY", "/from", to(value)));
    await expect(
      400,
      'error "Destination" URI "http://other/x" is handled by different repository than the source URI',
      ask("MOVE", "/from", to("http://other/x")),
    );
    for (const [value, unsafe] of [
      ["/../x", "/../x"],
      ["/%2e%2e/x?y", "/../x"],
      ["http://localhost:80/a/../b", "/a/../b"],
    ] as const) {
      const log = [`error unsafe URI "${unsafe}" was detected`, invalid(value)];
      await expect(400, log, ask("COPY", "/from", to(value)));
    }
    const kinds = (from: string, value: string): string =>
      `error both URI "${from}" and "Destination" URI "${value}" should be either collections or non-collections`;
    await expect(409, kinds("/folder/", "/new"), ask("COPY", "/folder/", to("/new")));
    await expect(409, kinds("/from", "/new/"), ask("MOVE", "/from", to("/new/")));
    await expect(400, invalid("/short"), ask("COPY", "/alias-of-much/x", to("/short")));
    const { text } = await server.exchange("COPY /from HTTP/1.0\r\nDestination: http://localhost/x\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 400/);
    assert.equal(logged().at(-1), 'error client sent no "Host" header');
    assert.equal(existsSync(html("x")), false);
  });

  test("take a Depth that suits", async () => {
    make({ from: "x" });
    await expect(400, 'error "Depth" header must be 0 or infinity', ask("COPY", "/from", to("/a", "Depth: 1")));
    await expect(400, 'error "Depth" header must be infinity', ask("MOVE", "/from", to("/a", "Depth: 0")));
    await expect(204, "", ask("COPY", "/from", to("/a", "Depth: 0")));
    await expect(204, "", ask("MOVE", "/from", to("/b", "Depth: infinity")));
  });

  test("refuse bodies", async () => {
    make({ from: "x" });
    const log = "error COPY and MOVE with body are unsupported";
    await expect(415, log, ask("COPY", "/from", to("/a"), "body"));
    await expect(415, log, ask("MOVE", "/from", to("/a"), "body"));
  });

  test("do not put a place into itself", async () => {
    make({ "folder/sub/x": "x", file: "x" });
    const same = (from: string, value: string): string =>
      `error both URI "${from}" and "Destination" URI "${value}" point to the same location`;
    await expect(403, same("/file", "/file"), ask("COPY", "/file", to("/file")));
    await expect(403, same("/file", "//file"), ask("MOVE", "/file", to("//file")));
    await expect(403, same("/folder/", "/folder/"), ask("COPY", "/folder/", to("/folder/")));
    const inside = (from: string, method: string, value: string): string =>
      `error "${from}" could not be ${method}ed to collection "${value}"`;
    await expect(403, inside("/folder/", "COPY", "/folder/new/"), ask("COPY", "/folder/", to("/folder/new/")));
    await expect(403, inside("/folder/sub/", "MOVE", "/folder/"), ask("MOVE", "/folder/sub/", to("/folder/")));
    await expect(201, "", ask("COPY", "/folder/", to("/folder2/")));
  });

  test("say what is missing, and what is a folder", async () => {
    make({ "folder/": "", file: "x" });
    await expect(
      404,
      'error lstat() "/html/none" failed (2: No such file or directory)',
      ask("COPY", "/none", to("/a")),
    );
    await expect(409, 'error "/file" could not be COPYed to collection "/folder"', ask("COPY", "/file", to("/folder")));
    await expect(400, 'error "/folder" is collection', ask("COPY", "/folder", to("/new")));
    await expect(
      404,
      'error lstat() "/html/file/x" failed (20: Not a directory)',
      ask("COPY", "/folder", to("/file/x")),
    );
    await expect(
      404,
      'error mkdir() "/html/no/new" failed (2: No such file or directory)',
      ask("COPY", "/folder/", to("/no/new/")),
    );
    await expect(
      500,
      'crit open() "/html/no/new" failed (2: No such file or directory)',
      ask("COPY", "/file", to("/no/new")),
    );
    make({ "a/": "" });
    await expect(
      201,
      "",
      ask("COPY", "/folder/", to("/file/")).catch((error: unknown) => Promise.reject(error)),
    );
    assert.ok(statSync(html("file")).isDirectory(), "a file gives way to a folder");
  });
});

const nginx = installedNginx();
const RIVAL = [
  "dav_methods;",
  "dav_methods GET;",
  "dav_methods PUT put;",
  "dav_access;",
  "dav_access rw;",
  "dav_access user:w;",
  "dav_access user:rw group:rw all:rw all:r;",
  "dav_access user:rw; dav_access user:r;",
  "min_delete_depth x;",
  "min_delete_depth 1 2;",
  "create_full_put_path 1;",
];

describe("the directives", () => {
  test("are refused as nginx refuses them", { skip: nginx === undefined && "no nginx is installed here" }, async () => {
    for (const line of RIVAL) {
      const said = await Promise.all(
        [undefined, nginx].map((binary) =>
          TestServer.start(`server { listen 127.0.0.1:%PORT%; ${line} }`, binary === undefined ? {} : { binary }).then(
            async (started) => {
              await started.stop();
              return "it starts";
            },
            (error: Error) => /\[emerg\] \S* ?(?:\d+#\d+: )?(.*?) in \//.exec(error.message)?.[1] ?? error.message,
          ),
        ),
      );
      assert.equal(said[0], said[1], line);
    }
  });
});
