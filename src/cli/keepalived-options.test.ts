import assert from "node:assert/strict";
import { test } from "node:test";
import { keepalivedUsage, parseKeepalivedOptions } from "./keepalived-options.ts";

function options(...args: string[]) {
  const request = parseKeepalivedOptions(args);
  assert.equal(request.kind, "run", JSON.stringify(request));
  return request.kind === "run" ? request.options : assert.fail();
}

test("letters cluster, and values stand behind them or follow", () => {
  const clustered = options("-nlD", "-f/etc/a.conf", "-p", "/run/a.pid");
  assert.ok(clustered.dontFork && clustered.logConsole && clustered.logDetail);
  assert.equal(clustered.file, "/etc/a.conf");
  assert.equal(clustered.pidFile, "/run/a.pid");
  assert.equal(options("-nf", "/etc/b.conf").file, "/etc/b.conf");
});

test("long names take values with and without an equals sign, and may be cut while they are unambiguous", () => {
  assert.equal(options("--use-file=/a").file, "/a");
  assert.equal(options("--use-file", "/a").file, "/a");
  assert.equal(options("--use=/a").file, "/a");
  assert.equal(parseKeepalivedOptions(["--log"]).kind, "error");
});

test("-t tests, with an optional file", () => {
  assert.equal(options("-t").test, "");
  assert.equal(options("-t/tmp/x").test, "/tmp/x");
  assert.equal(options("--config-test=/tmp/x").test, "/tmp/x");
  assert.equal(options().test, undefined);
});

test("-C and -P are the halves; both together leave nothing out", () => {
  const halves = (...args: string[]): [boolean, boolean] => {
    const { runsVrrp, runsCheckers } = options(...args);
    return [runsVrrp, runsCheckers];
  };
  assert.deepEqual(halves(), [true, true]);
  assert.deepEqual(halves("-P"), [true, false]);
  assert.deepEqual(halves("--vrrp"), [true, false]);
  assert.deepEqual(halves("-C"), [false, true]);
  assert.deepEqual(halves("--check"), [false, true]);
  assert.deepEqual(halves("-C", "-P"), [true, true]);
  assert.equal(options("-c", "/run/c.pid").checkersPidFile, "/run/c.pid");
  assert.equal(options("--checkers_pid=/run/c.pid").checkersPidFile, "/run/c.pid");
});

test("facilities are numbers of syslog", () => {
  assert.equal(options().facility, 3);
  assert.equal(options("-S", "2").facility, 18);
  assert.equal(options("-S", "local7").facility, 23);
  assert.equal(options("-S", "user").facility, 1);
  assert.equal(options("-G").facility, undefined);
  assert.equal(parseKeepalivedOptions(["-S", "kern"]).kind, "error");
});

test("what is unknown, misses its value or is not done by Tandem is refused", () => {
  for (const [args, message] of [
    [["-Z"], "Unknown option -Z"],
    [["--nonsense"], "unrecognized option '--nonsense'"],
    [["-f"], "option requires an argument -- 'f'"],
    [["--vrrp=x"], "option '--vrrp' doesn't allow an argument"],
    [["word"], "Unexpected argument(s): word"],
    [["-x"], "--snmp: Tandem has no SNMP agent yet"],
  ] as const)
    assert.deepEqual(parseKeepalivedOptions(args), { kind: "error", message });
});

test("version, help and signal numbers come before everything else", () => {
  assert.equal(parseKeepalivedOptions(["-v", "-f", "x"]).kind, "version");
  assert.equal(parseKeepalivedOptions(["-h"]).kind, "help");
  assert.deepEqual(parseKeepalivedOptions(["--signum=JSON"]), { kind: "signum", name: "JSON" });
  assert.match(keepalivedUsage(), /-f, --use-file=VALUE/);
});
