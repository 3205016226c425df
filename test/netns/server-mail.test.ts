/** Mail about virtual and real servers, from a check to the relay, in the words that keepalived 2.2.7 was heard to write. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { CHECKOUT } from "../support/lab.ts";
import { missingForLab, until } from "../support/segment-lab.ts";
import { ServersLab, VIP } from "../support/servers-lab.ts";
import type { SmtpSession } from "../support/smtp-sink.ts";

const skip = missingForLab(["nft", "sysctl", "ss"]) ?? false;
const PORT = 2525;

const CONFIG = `global_defs {
  router_id lb-a
  notification_email {
    ops@example.com
  }
  notification_email_from lb@example.com
  smtp_server 127.0.0.1 ${PORT}
}
virtual_server ${VIP} 80 {
  delay_loop 0.1
  delay_before_retry 0.1
  retry 1
  warmup 0
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  smtp_alert
  omega
  real_server 10.62.0.11 80 {
    TCP_CHECK {
    }
  }
}
`;

test("mail about a real server, its quorum and the end goes to the relay, in keepalived's words", {
  skip,
}, async () => {
  const lab = new ServersLab(["one"]);
  const sink = path.join(CHECKOUT, "dist/test/support/smtp-sink.js");
  const relay = spawn("ip", ["netns", "exec", lab.namespace("director"), process.execPath, sink, String(PORT)]);
  const mails: string[] = [];
  createInterface({ input: relay.stdout }).on("line", (line) => {
    if (!line.startsWith("{")) return;
    const { data } = JSON.parse(line) as SmtpSession;
    if (data !== "") mails.push(data.replace(/^Date: .*\r\n/, "").replaceAll("\r\n", "\n"));
  });
  try {
    await lab.perform("one", { kind: "open", protocol: "tcp", port: 80 });
    await until("the relay", () => lab.inside("director", "ss", "-Hltn").includes(`:${PORT}`));
    const director = lab.start(CONFIG);
    await until("mail about the start", () => mails.length === 1);
    await lab.perform("one", { kind: "close", protocol: "tcp", port: 80 });
    await until("mail about a failure", () => mails.length === 3);
    await lab.perform("one", { kind: "open", protocol: "tcp", port: 80 });
    await until("mail about its return", () => mails.length === 5);
    await director.stop();
    await until("mail about the end", () => mails.length === 7);
    const [service, server] = [`[${VIP}]:tcp:80`, "[10.62.0.11]:tcp:80"];
    const mail = (subject: string, body: string): string =>
      `From: lb@example.com\nSubject: [lb-a] ${subject}\nX-Mailer: Keepalived\nTo: ops@example.com\n\n${body}\n\n`;
    const [virtual, real] = [`Virtualserver ${service}`, `Realserver ${server} of virtual server ${service}`];
    assert.deepEqual(
      mails.map((text) => text.trimEnd()),
      [
        mail(`${virtual} - UP`, "=> Starting with quorum up 1+0=1 <= 1 <="),
        mail(`${virtual} - DOWN`, "=> Lost quorum 1+0=1 <= 0 <="),
        mail(`${real} - DOWN`, "=> TCP CHECK failed on service <="),
        mail(`${virtual} - UP`, "=> Gained quorum 1+0=1 <= 1 <="),
        mail(`${real} - UP`, "=> TCP CHECK succeed on service <="),
        mail(`${real} - DOWN`, "=> Shutting down <="),
        mail(`${virtual} - DOWN`, "=> Shutting down <="),
      ].map((text) => text.trimEnd()),
    );
  } finally {
    relay.kill();
    await lab.close();
  }
});
