import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer, type Pace } from "./announce.ts";
import { AnnouncePaces } from "./announce-pace.ts";
import { exampleInstance } from "./example.ts";

const announce = { ...exampleInstance().announce, repeat: 2, delayMs: 0, garpIntervalMs: 10, gnaIntervalMs: 100 };

/** Two routers, each with an address on every link, that begin at once: `time:router/link`. */
function play(paces: AnnouncePaces, links: readonly string[], family: 4 | 6, endMs: number): string[] {
  const sent: string[] = [];
  const routers = ["a", "b"].map((name) => {
    const announcer = new Announcer(announce, 0);
    announcer.plan("takeover", 0);
    const pace: Pace = {
      readyMs: (index) => paces.readyMs(links[index] as string, family, announce),
      sent: (index, nowMs) => {
        paces.sent(links[index] as string, family, announce, nowMs);
        sent.push(`${nowMs}:${name}/${links[index]}`);
      },
    };
    return { announcer, pace };
  });
  for (;;) {
    const next = Math.min(...routers.map(({ announcer }) => announcer.nextMs ?? Number.POSITIVE_INFINITY));
    if (next > endMs) return sent;
    for (const { announcer, pace } of routers)
      if ((announcer.nextMs ?? Number.POSITIVE_INFINITY) <= next) announcer.due(next, links.length, pace);
  }
}

test("announcements of all routers on an interface are held apart, and those of another interface go on", () => {
  const sent = play(new AnnouncePaces(), ["eth0", "eth1"], 4, 1000);
  for (const link of ["eth0", "eth1"]) {
    const times = sent.filter((one) => one.endsWith(link)).map((one) => one.split(":")[0]);
    assert.deepEqual(times, ["0", "10", "20", "30"], link);
  }
});

test("interfaces of a garp_group share its time, by family; what it does not set is none", () => {
  const paces = new AnnouncePaces();
  paces.configure([{ garpIntervalMs: 50, gnaIntervalMs: 0, interfaces: ["eth0", "eth1"] }]);
  const times = (family: 4 | 6): (string | undefined)[] =>
    play(paces, ["eth0", "eth1"], family, 1000).map((one) => one.split(":")[0]);
  assert.deepEqual(times(4), ["0", "50", "100", "150", "200", "250", "300", "350"]);
  assert.deepEqual(times(6), Array(8).fill("0"));
});
