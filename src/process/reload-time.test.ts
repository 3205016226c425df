import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReloadTime, printReloadTime } from "./reload-time.ts";

/** 2026-11-30 20:18:37 UTC. */
const NOW = Date.UTC(2026, 10, 30, 20, 18, 37);

test("a time is the next one, UTC with a Z, and a date needs all its digits", () => {
  const at = (text: string): string | undefined => {
    const time = parseReloadTime(text, NOW);
    return time.kind === "at" ? `${new Date(time.atMs).toISOString()} ${time.isDaily}` : undefined;
  };
  assert.equal(at("21:18:38Z"), "2026-11-30T21:18:38.000Z true");
  assert.equal(at("10:00:00Z\nfoo"), "2026-12-01T10:00:00.000Z true");
  assert.equal(at("27-02-03 10:00:00Z"), "2027-02-03T10:00:00.000Z false");
  assert.equal(at("2027-02-03 10:00:00Z"), "2027-02-03T10:00:00.000Z false");
  const local = parseReloadTime("2027-02-03 10:00:00", NOW);
  assert.equal(local.kind === "at" && printReloadTime(local.atMs), "2027-02-03 10:00:00");
});

test("everything else is complained about in keepalived's words, an empty file is not", () => {
  const says = (text: string): string => {
    const time = parseReloadTime(text, NOW);
    return time.kind === "bad" ? (time.messages[0] as string) : time.kind;
  };
  // As keepalived 2.2.7 was heard to say.
  const heard: Readonly<Record<string, string>> = {
    nonsense: "Reload date/time nonsense invalid - ignoring",
    "25:00:00": "Reload date/time 25:00:00 invalid - ignoring",
    "2027-13-30 10:00:00": "Reload date/time 2027-13-30 10:00:00 invalid - ignoring",
    "2027-02-30 10:00:00": "Reload time 2027-02-30 10:00:00 is not valid - ignoring",
    "23:59:60": "Reload time 23:59:60 is not valid - ignoring",
    " 10:00:00": "Reload time  10:00:00 format is incorrect - ignoring",
    "10:00:00 ": "Reload time 10:00:00  format is incorrect - ignoring",
    "27-2-3 10:00:00": "Reload time 27-2-3 10:00:00 format is incorrect - ignoring",
    "1:2:3": "Reload time 1:2:3 format is incorrect - ignoring",
    "10:00:00z": "Reload time 10:00:00z format is incorrect - ignoring",
    "2020-01-01 10:00:00": "Reload time 2020-01-01 10:00:00 is in the past - ignoring",
    "": "none",
  };
  for (const [text, message] of Object.entries(heard)) assert.equal(says(text), message);
});
