import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig } from "../conf/keepalived/config.ts";
import { readerOf } from "../conf/keepalived/example.ts";
import { loadKeepalived } from "../conf/keepalived/load.ts";
import type { NotifyEvent, NotifyState } from "../vrrp/ports.ts";
import { bareAddress, formatAddress, mailAbout, printMail } from "./mail-text.ts";
import { MAX_WAITING_MAILS, Mailer, type SendMail } from "./mailer.ts";

function configOf(globals: string, own = "smtp_alert"): KeepalivedConfig {
  const text = `global_defs {\nrouter_id lb\n${globals}\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 1\n${own}\n}\n`;
  return loadKeepalived("/k", { reader: readerOf({ "/k": text }), configId: "x" }).config;
}

const RELAY = "smtp_server 10.0.0.1\nnotification_email {\nops@example.com\n}\nnotification_email_from lb@example.com";

function event(state: NotifyState, name = "V", type: NotifyEvent["type"] = "INSTANCE"): NotifyEvent {
  return { type, name, state, priority: 100, commands: { specific: undefined, any: undefined } };
}

/** A mailer whose mails are kept, and the lines of its log. */
function mailerOf(config: KeepalivedConfig, send?: SendMail) {
  const lines: string[] = [];
  const subjects: string[] = [];
  const log: Log = { enabled: () => true, write: (level, text) => lines.push(`${level}: ${text}`) };
  const keep: SendMail = async (_, { raw }) => {
    subjects.push(/^Subject: (.*)\r$/m.exec(raw)?.[1] ?? "");
  };
  const mailer = new Mailer(log, send ?? keep);
  mailer.configure(config);
  return { mailer, lines, subjects };
}

test("the texts are keepalived's", () => {
  const texts = (["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"] as const).map((state) => mailAbout(event(state)));
  assert.deepEqual(
    texts.map((text) => `${text?.subject}: ${text?.body}`),
    [
      "VRRP Instance V - Entering MASTER state: => VRRP Instance is now owning VRRP VIPs <=",
      "VRRP Instance V - Entering BACKUP state: => VRRP Instance is no longer owning VRRP VIPs <=",
      "VRRP Instance V - Entering FAULT state: => VRRP Instance is no longer owning VRRP VIPs <=",
      "VRRP Instance V - Stopping: => VRRP Instance stopping <=",
      "VRRP Instance V - Deleted: => VRRP Deleted at reload <=",
    ],
  );
  assert.equal(mailAbout(event("FAULT", "G", "GROUP"))?.body, "=> All VRRP group instances are now in FAULT state <=");
  assert.equal(mailAbout(event("MASTER_PRIORITY")), undefined);
});

test("a mail's header and body, line by line", () => {
  const envelope = { from: "lb@example.com", to: ["a@b", "Watch, Night <n@b>"], sender: "lb\r\nX: y" };
  const now = new Date(2026, 10, 3, 9, 4, 8);
  const zone = /[-+]\d{4}/.exec(now.toString())?.[0];
  assert.deepEqual(printMail({ subject: "S", body: "B" }, envelope, now).split("\r\n"), [
    `Date: Tue, 03 Nov 2026 09:04:08 ${zone}`,
    "From: lb@example.com",
    "Subject: [lb X: y] S",
    "X-Mailer: Keepalived",
    'To: a@b, "Watch, Night" <n@b>',
    "",
    "B",
    "",
    "",
  ]);
  const many = Array.from({ length: 100 }, (_, i) => `somebody${i}@example.com`);
  const long = printMail({ subject: "S", body: "B" }, { ...envelope, to: many }, now);
  assert.ok(long.split("\r\n").every((line) => line.length < 998));
});

test("addresses with a name are quoted in the header and bare for the relay", () => {
  assert.equal(formatAddress("Night Watch <n@b>"), "Night Watch <n@b>");
  assert.equal(formatAddress('A "B", C <n@b>'), '"A \\"B\\", C" <n@b>');
  assert.equal(formatAddress("n@b"), "n@b");
  assert.equal(formatAddress("<n@b>"), "<n@b>");
  assert.deepEqual(["Night Watch <n@b>", "<n@b>", "n@b", "odd>"].map(bareAddress), ["n@b", "n@b", "n@b", "odd>"]);
});

test("a state is told once, faults unless they are not wanted, and nothing without smtp_alert", async () => {
  const told = async (config: KeepalivedConfig): Promise<readonly string[]> => {
    const { mailer, subjects } = mailerOf(config);
    for (const state of ["BACKUP", "MASTER", "MASTER", "FAULT", "MASTER_RX_LOWER_PRI", "BACKUP", "STOP"] as const)
      mailer.notify(event(state));
    await mailer.close(1000);
    return subjects.map((subject) => subject.replace("[lb] VRRP Instance V - ", ""));
  };
  const all = [
    "Entering BACKUP state",
    "Entering MASTER state",
    "Entering FAULT state",
    "Entering BACKUP state",
    "Stopping",
  ];
  assert.deepEqual(await told(configOf(RELAY)), all);
  assert.deepEqual(
    await told(configOf(`${RELAY}\nno_email_faults`)),
    all.filter((text) => !text.includes("FAULT")),
  );
  assert.deepEqual(await told(configOf(RELAY, "")), []);
  assert.deepEqual(await told(configOf("smtp_server 10.0.0.1")), []);
});

test("an instance that a reload has taken out is still told about, and who wants mail without a relay is told", async () => {
  const { mailer, subjects, lines } = mailerOf(configOf(RELAY));
  mailer.configure(
    loadKeepalived("/k", { reader: readerOf({ "/k": `global_defs {\n${RELAY}\n}\n` }), configId: "x" }).config,
  );
  mailer.notify(event("DELETED"));
  await mailer.close(1000);
  assert.match(subjects.join(), /VRRP Instance V - Deleted/);
  assert.deepEqual(
    lines.filter((line) => line.startsWith("notice")),
    [],
  );
  assert.match(mailerOf(configOf("")).lines.join(), /no mail is sent without smtp_server/);
});

test("mails that can't leave wait up to a bound, and the end does not wait for them", async () => {
  let sent = 0;
  let isAborted = false;
  const stuck: SendMail = (_, __, signal) => {
    sent++;
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        isAborted = true;
        reject(new Error("aborted"));
      });
    });
  };
  const { mailer, lines } = mailerOf(configOf(RELAY), stuck);
  for (let i = 0; i < MAX_WAITING_MAILS + 10; i++) mailer.send({ subject: `${i}`, body: "" });
  assert.equal(sent, 1);
  assert.equal(lines.filter((line) => line.includes("further ones are dropped")).length, 1);
  await mailer.close(10);
  assert.match(lines.join("\n"), new RegExp(`error: ${MAX_WAITING_MAILS + 1} mails were not sent`));
  assert.ok(isAborted);
});

test("a relay that refuses costs the mail and a line, and the next mail goes out", async () => {
  let count = 0;
  const failing: SendMail = async () => {
    if (count++ === 0) throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ESOCKET" });
  };
  const { mailer, lines } = mailerOf(configOf(RELAY), failing);
  mailer.notify(event("BACKUP"));
  mailer.notify(event("MASTER"));
  await mailer.close(1000);
  assert.deepEqual(lines, [
    "error: SMTP connection ERROR to [10.0.0.1]:25: connect ECONNREFUSED, lost: VRRP Instance V - Entering BACKUP state",
    "info: SMTP alert successfully sent to [10.0.0.1]:25: VRRP Instance V - Entering MASTER state",
  ]);
});
