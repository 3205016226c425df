import assert from "node:assert/strict";
import { test } from "node:test";
import type { MiscChecker } from "../conf/keepalived/lvs/config.ts";
import { type CheckerState, initialState, type NetworkChecker, type Outcome, step } from "./checker.ts";
import { configOf } from "./example.ts";
import { initialMisc, type MiscState, stepMisc } from "./misc-checker.ts";
import type { CommandResult } from "./ports.ts";

const names = { server: "RS", service: "VS" };

function checkerOf(text: string): NetworkChecker | MiscChecker {
  const { virtualServers } = configOf(
    `virtual_server 10.0.0.100 80 {\ndelay_loop 10\nreal_server 10.0.0.1 80 {\n${text}\n}\n}`,
  );
  return virtualServers[0]?.realServers[0]?.checkers[0] as NetworkChecker;
}

/** What each result brings: `+` up, `-` down, `.` nothing new, and the seconds until the next. */
function story(text: string, results: string, logs: string[] = []): string {
  const checker = checkerOf(text) as NetworkChecker;
  let state: CheckerState = initialState(checker);
  return [...results]
    .map((result) => {
      const outcome: Outcome = result === "o" ? { ok: true } : { ok: false, why: "why" };
      const next = step(checker, names, state, outcome);
      state = next.state;
      logs.push(...next.logs);
      return `${next.verdict === undefined ? "." : next.verdict ? "+" : "-"}${next.delayMs / 1000}`;
    })
    .join(" ");
}

test("TCP_CHECK: one failure is enough at first, then retries are forgiven", () => {
  const logs: string[] = [];
  const text = "TCP_CHECK {\nretry 2\ndelay_before_retry 1\n}";
  assert.equal(story(text, "xxxxoxxxox", logs), "-10 .1 .1 .10 +10 .1 .1 -10 +10 .1");
  assert.deepEqual(logs, [
    "TCP_CHECK on service RS failed.",
    "TCP connection to RS success.",
    "TCP_CHECK on service RS failed after 2 retries.",
    "TCP connection to RS success.",
  ]);
});

test("TCP_CHECK: the first success is told, later ones are not; log_all_failures tells each failure", () => {
  const logs: string[] = [];
  assert.equal(story("TCP_CHECK {\nretry 1\nlog_all_failures\n}", "ooxo", logs), "+10 .10 .1 .10");
  assert.deepEqual(logs, ["TCP connection to RS success.", "why"]);
});

test("UDP_CHECK and PING_CHECK do not count what they know already", () => {
  for (const kind of ["UDP_CHECK", "PING_CHECK"])
    assert.equal(story(`${kind} {\nretry 2\n}`, "xxxoxxx"), "-10 .10 .10 +10 .1 .1 -10", kind);
});

test("PING_CHECK calls itself ICMP", () => {
  const logs: string[] = [];
  story("PING_CHECK {\nretry 1\n}", "oxx", logs);
  assert.deepEqual(logs, ["ICMP connection to RS success.", "ICMP CHECK on service RS of VS failed after 1 retries."]);
});

test("HTTP_GET: every url is asked in its turn, and a failed one alone until it is answered", () => {
  const logs: string[] = [];
  const text = "HTTP_GET {\nretry 1\ndelay_before_retry 2\nurl {\npath /a\n}\nurl {\npath /b\n}\n}";
  assert.equal(story(text, "ooxxoxxooo", logs), ".10 +10 .2 -10 .10 .2 .2 .10 +10 .10");
  assert.deepEqual(logs, [
    "Remote Web server RS succeed on service.",
    "HTTP_CHECK on service RS failed after 1 retries.",
    "HTTP status code success to RS url(/a)",
    "HTTP status code success to RS url(/a)",
    "HTTP status code success to RS url(/b)",
    "Remote Web server RS succeed on service.",
  ]);
});

test("HTTP_GET: fast_recovery does not wait for what may bring a server up", () => {
  const text = "HTTP_GET {\nfast_recovery\nretry 0\nurl {\npath /a\n}\nurl {\npath /b\n}\n}";
  assert.equal(story(text, "ooxoooo"), ".0 +10 -10 .0 .0 +10 .10");
});

test("SMTP_CHECK begins every round anew, with all its retries", () => {
  const logs: string[] = [];
  assert.equal(story("SMTP_CHECK {\nretry 1\n}", "xxxxo", logs), ".1 -10 .1 .10 +10");
  assert.deepEqual(logs, ["SMTP_CHECK why", "Remote SMTP server RS succeed on service."]);
});

test("DNS_CHECK says why, and nothing when it succeeds", () => {
  const logs: string[] = [];
  assert.equal(story("DNS_CHECK {\n}", "oxxxxxo", logs), "+10 .10 .10 .10 -10 .10 +10");
  assert.deepEqual(logs, ["DNS_CHECK (RS) why after 3 retries"]);
});

function miscStory(text: string, results: readonly (number | "late" | "signal")[], logs: string[] = []): string {
  const checker = checkerOf(text) as MiscChecker;
  let state: MiscState = initialMisc(checker);
  return results
    .map((result) => {
      const ended: CommandResult =
        result === "late"
          ? { kind: "timed out" }
          : result === "signal"
            ? { kind: "signalled", signal: 9 }
            : { kind: "exited", status: result };
      const next = stepMisc(checker, names, state, ended, 10);
      state = next.state;
      logs.push(...next.logs);
      return `${next.verdict === undefined ? "." : next.verdict ? "+" : "-"}${state.weight}`;
    })
    .join(" ");
}

test("MISC_CHECK: a status above 1 is a weight when it is dynamic, a failure when not", () => {
  const dynamic = "MISC_CHECK {\nmisc_path /bin/x\nmisc_dynamic\n}";
  assert.equal(miscStory(dynamic, [0, 22, 2, 0, 1, 12]), "+0 .10 .-10 .0 -0 +0");
  assert.equal(miscStory("MISC_CHECK {\nmisc_path /bin/x\n}", [0, 22, 0]), "+0 -0 +0");
});

test("MISC_CHECK says how it failed, and how often it will try", () => {
  const logs: string[] = [];
  const text = "MISC_CHECK {\nmisc_path /bin/x\nretry 2\nlog_all_failures\n}";
  assert.equal(miscStory(text, [0, 1, "late", "signal", 1, 0], logs), "+0 .0 .0 -0 .0 +0");
  const who = "Misc check for [RS VS VS] by [/bin/x]";
  assert.deepEqual(logs, [
    `${who} succeeded.`,
    `${who} failed, will do 2 retries (exited with status 1).`,
    `${who} timed out on retry 1/2.`,
    `${who} failed after 2 retries (due to signal 9).`,
    `${who} succeeded.`,
  ]);
});
