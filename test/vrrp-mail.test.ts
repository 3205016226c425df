// lane: waits
/** Mail on changes of state: Tandem's next to that of the real keepalived, with the same file and the same events. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { CHECKOUT } from "./support/lab.ts";
import { type Daemon, missingForLab, SegmentLab, until } from "./support/segment-lab.ts";
import type { SmtpSession } from "./support/smtp-sink.ts";

const skip = missingForLab(["keepalived"]) ?? false;
const PORT = 2525;

const CONFIG = `global_defs {
  router_id lb-a
  notification_email {
    ops@example.com
    night@example.com
  }
  notification_email_from lb@example.com
  smtp_server 127.0.0.1 ${PORT}
  smtp_helo_name node-a
  smtp_connect_timeout 3
}
vrrp_sync_group G {
  group {
    VI_1
  }
  smtp_alert
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 33
  version 3
  advert_int 0.2
  priority 100
  smtp_alert
  virtual_ipaddress {
    192.168.50.130
  }
}
`;

/** Header lines and body without the date, as soon as they are there. */
interface Relay {
  readonly mails: readonly { readonly subject: string; readonly text: string; readonly commands: readonly string[] }[];
}

function startRelay(lab: SegmentLab, host: string): Relay {
  const child = lab.script(host, path.join(CHECKOUT, "dist/test/support/smtp-sink.js"), [String(PORT)]);
  const mails: { subject: string; text: string; commands: readonly string[] }[] = [];
  let rest = "";
  child.stdout?.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() as string;
    for (const line of lines.filter((one) => one.startsWith("{"))) {
      const { commands, data } = JSON.parse(line) as SmtpSession;
      if (data === "") continue;
      const subject = /^Subject: (.*)\r$/m.exec(data)?.[1] ?? "";
      mails.push({ subject, text: data.replace(/^Date: .*\r\n/, "Date:\r\n"), commands });
    }
  });
  closers.set(lab, () => child.kill());
  return { mails };
}
const closers = new Map<SegmentLab, () => void>();

/** Backup, master, fault, backup, master, stop. */
async function story(program: "tandem" | "keepalived"): Promise<Relay["mails"]> {
  const lab = new SegmentLab(["a"]);
  let daemon: Daemon | undefined;
  try {
    const { mails } = startRelay(lab, "a");
    const has = (word: string, times = 1) => mails.filter(({ subject }) => subject.includes(word)).length >= 2 * times;
    await new Promise((resolve) => setTimeout(resolve, 500));
    daemon = lab.start(program, "a", CONFIG);
    await until("master", () => has("MASTER"));
    lab.ip("switch", "link", "set", "pa", "down");
    await until("fault", () => has("FAULT"));
    lab.ip("switch", "link", "set", "pa", "up");
    await until("master again", () => has("MASTER", 2));
    await daemon.stop();
    if (program === "tandem") await until("stopping", () => has("Stopping"));
    return mails;
  } finally {
    closers.get(lab)?.();
    await lab.close();
  }
}

describe("mail", { concurrency: true }, () => {
  test("Tandem's mails are keepalived's, and the one about the end arrives, too", { skip }, async () => {
    const [theirs, ours] = await Promise.all([story("keepalived"), story("tandem")]);
    const texts = (mails: Relay["mails"]) => new Map(mails.map(({ subject, text }) => [subject, text]));
    const [before, after] = [texts(theirs), texts(ours)];
    assert.ok(before.size >= 6, [...before.keys()].join());
    for (const [subject, text] of before) assert.equal(after.get(subject), text, subject);
    // Whether keepalived's mails about the end have left before it does is chance; so is whether each of the others arrives.
    const ends = ["[lb-a] VRRP Instance VI_1 - Stopping", "[lb-a] VRRP Group G - Stopping"];
    assert.ok(ends.every((subject) => after.has(subject)));
    assert.deepEqual(
      [...after.keys()].filter((subject) => !before.has(subject) && !ends.includes(subject)),
      [],
    );
    const rest = (mail: Relay["mails"][number] | undefined) => mail?.commands.slice(1);
    assert.deepEqual(rest(ours[0]), rest(theirs[0]));
    assert.deepEqual([theirs[0]?.commands[0], ours[0]?.commands[0]], ["HELO node-a", "EHLO node-a"]);
    assert.equal(ours.length, 12, "five changes and the end, of an instance and a group");
  });

  test("a relay that does not answer delays no take-over", { skip }, async () => {
    const lab = new SegmentLab(["a", "b"]);
    try {
      const dead = CONFIG.replace(`127.0.0.1 ${PORT}`, "192.168.50.99").replace(
        "connect_timeout 3",
        "connect_timeout 60",
      );
      const b = lab.start("tandem", "b", dead.replace("priority 100", "priority 90"));
      await until("b takes over", () => lab.holds("b", "192.168.50.130"));
      const a = lab.start("tandem", "a", dead);
      await until("a takes over", () => lab.holds("a", "192.168.50.130") && !lab.holds("b", "192.168.50.130"));
      await a.stop();
      await until("b again", () => lab.holds("b", "192.168.50.130"));
      assert.match(a.log(), /mails were not sent before the end/);
      assert.doesNotMatch(b.log(), /hangs|late/);
    } finally {
      await lab.close();
    }
  });
});
