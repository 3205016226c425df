import assert from "node:assert/strict";
import dgram from "node:dgram";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { parseIp } from "../base/ip.ts";
import { ErrorLog, escapeControls, LogFiles, printMessage } from "./error-log.ts";

describe("error log", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "error-log-"));
  after(() => rmSync(folder, { recursive: true }));
  const clock = { now: () => 0, wall: () => new Date(2026, 0, 9, 8, 7, 6).getTime() };
  const at = (name: string): string => path.join(folder, name);

  test("a line has nginx's form, with everything that is known of the request in nginx's order", () => {
    const log = new ErrorLog([{ kind: "file", path: at("a"), level: "error" }], new LogFiles(), clock);
    log.write("error", 'open() "/x" failed', {
      connection: 7,
      errno: 2,
      client: "127.0.0.1",
      server: "localhost",
      request: "GET /x HTTP/1.1",
      upstream: "http://127.0.0.1:81/x",
      host: "localhost",
      referrer: "http://other/",
    });
    const pid = process.pid;
    assert.equal(
      readFileSync(at("a"), "latin1"),
      `2026/01/09 08:07:06 [error] ${pid}#${pid}: *7 open() "/x" failed (2: No such file or directory), client: 127.0.0.1, ` +
        'server: localhost, request: "GET /x HTTP/1.1", upstream: "http://127.0.0.1:81/x", host: "localhost", ' +
        'referrer: "http://other/"\n',
    );
    assert.equal(
      printMessage("client timed out", { errno: 110, action: "while reading client request headers", client: "::1" }),
      "client timed out (110: Connection timed out) while reading client request headers, client: ::1",
    );
  });

  test("each target takes what is at least as severe as its level", () => {
    const files = new LogFiles();
    const log = new ErrorLog(
      [
        { kind: "file", path: at("warn"), level: "warn" },
        { kind: "file", path: at("info"), level: "info" },
      ],
      files,
      clock,
    );
    assert.deepEqual([log.enabled("info"), log.enabled("debug")], [true, false]);
    for (const level of ["emerg", "warn", "notice", "info", "debug"] as const) log.write(level, level);
    const levels = (name: string): string[] =>
      [...readFileSync(at(name), "latin1").matchAll(/\[(\w+)\]/g)].map((match) => match[1] as string);
    assert.deepEqual(levels("warn"), ["emerg", "warn"]);
    assert.deepEqual(levels("info"), ["emerg", "warn", "notice", "info"]);
  });

  test("nothing that a client sends begins a new line or reaches the terminal as a control character", () => {
    assert.equal(escapeControls("a\r\nb\x1b[31m\x7f\tä"), "a\\x0D\\x0Ab\\x1B[31m\\x7F\\x09ä");
  });

  test("a long line is cut, bytes stay bytes, and other text is written as UTF-8", () => {
    const log = new ErrorLog([{ kind: "file", path: at("long"), level: "error" }], new LogFiles(), clock);
    log.write("error", "x".repeat(5000));
    log.write("error", "\xc3\xa4 bytes");
    log.write("error", "→ text");
    const lines = readFileSync(at("long")).toString("latin1").split("\n");
    assert.equal(lines[0]?.length, 2047);
    assert.ok(lines[1]?.endsWith("\xc3\xa4 bytes"));
    assert.ok(readFileSync(at("long"), "utf8").includes("→ text"));
  });

  test("after a rename, reopen writes to the old name; a failure to open is told in nginx's words", () => {
    const files = new LogFiles();
    const log = new ErrorLog([{ kind: "file", path: at("rotated"), level: "error" }], files, clock);
    log.write("error", "before");
    renameSync(at("rotated"), at("rotated.1"));
    files.reopen(assert.fail);
    log.write("error", "after");
    assert.match(readFileSync(at("rotated.1"), "latin1"), /before\n$/);
    assert.match(readFileSync(at("rotated"), "latin1"), /after\n$/);
    assert.throws(() => files.open(at("missing/x")), {
      message: `open() "${at("missing/x")}" failed (2: No such file or directory)`,
    });
  });

  test("syslog gets one datagram a message, in the form of RFC 3164", async () => {
    const server = dgram.createSocket("udp4").bind(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const settings = {
      server: { ip: parseIp("127.0.0.1") as Uint8Array, port: server.address().port },
      facility: 23,
      tag: "nginx",
      hostname: true,
    };
    const received = new Promise<Buffer>((resolve) => server.once("message", resolve));
    const log = new ErrorLog([{ kind: "syslog", settings, level: "info" }], new LogFiles(), clock);
    log.write("info", "hello");
    const pid = process.pid;
    assert.equal(
      (await received).toString("latin1"),
      `<190>Jan  9 08:07:06 ${os.hostname().toLowerCase()} nginx: 2026/01/09 08:07:06 [info] ${pid}#${pid}: hello`,
    );
    server.close();
  });
});
