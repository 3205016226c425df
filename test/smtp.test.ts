/** nodemailer as it is used here, against a relay that keeps what it hears. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { type Relay, sendMail } from "../src/process/smtp.ts";
import { type SinkOptions, type SmtpSession, startSink } from "./support/smtp-sink.ts";

const folder = mkdtempSync(path.join(tmpdir(), "tandem-smtp-"));
after(() => rmSync(folder, { recursive: true }));

/** A certificate for localhost; undefined without openssl. */
function certificate(): { key: string; cert: string } | undefined {
  const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert];
  if (spawnSync("openssl", [...request, ...names]).status !== 0) return undefined;
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

const pair = certificate();
const skip = pair === undefined ? "openssl is not installed" : false;
const ENVELOPE = { from: "lb@example.com", to: ["a@b", "c@d"], raw: "Subject: S\r\nTo: a@b\r\n\r\n.B\r\n\r\n" };

/** Sends the mail to such a relay, and returns what that heard. */
async function talk(options: SinkOptions, relay: Partial<Relay>): Promise<SmtpSession> {
  let heard: (session: SmtpSession) => void = () => {};
  const session = new Promise<SmtpSession>((resolve) => {
    heard = resolve;
  });
  const server = await startSink(0, options, (one) => heard(one));
  try {
    const settings: Relay = {
      server: "localhost",
      port: server.port,
      heloName: "node-a",
      connectTimeoutMs: 20_000,
      isWithoutFaults: false,
      auth: undefined,
      tls: "off",
      tlsCa: undefined,
      isTlsUnverified: false,
      ...relay,
    };
    await sendMail({ ...settings, server: "127.0.0.1" }, ENVELOPE, new AbortController().signal);
    return await session;
  } finally {
    server.close();
  }
}

test("plain: envelope, header and body arrive as they are", async () => {
  const session = await talk({}, {});
  assert.deepEqual(session.commands, [
    "EHLO node-a",
    "MAIL FROM:<lb@example.com>",
    "RCPT TO:<a@b>",
    "RCPT TO:<c@d>",
    "DATA",
    "QUIT",
  ]);
  assert.equal(session.data, "Subject: S\r\nTo: a@b\r\n\r\n..B\r\n\r\n");
  assert.ok(session.isWhole && !session.isEncrypted);
});

test("plain stays plain where TLS is offered", { skip }, async () => {
  assert.ok(!(await talk({ tls: { ...pair!, isImplicit: false } }, {})).isEncrypted);
});

test("STARTTLS is insisted on, TLS from the first byte is spoken, and the certificate is checked", {
  skip,
}, async () => {
  const tlsCa = path.join(folder, "cert.pem");
  for (const [tls, isImplicit] of [
    ["starttls", false],
    ["implicit", true],
  ] as const) {
    const server = { tls: { ...pair!, isImplicit } };
    const session = await talk(server, { tls, tlsCa });
    assert.ok(session.isEncrypted && session.isWhole, tls);
    await assert.rejects(talk(server, { tls }), /self-signed certificate/);
    assert.ok((await talk(server, { tls, isTlsUnverified: true })).isEncrypted);
  }
  await assert.rejects(talk({}, { tls: "starttls" }), /STARTTLS.*502|502 not here/);
});

test("a user is authenticated, with the password in the file or in a file of its own; a wrong one is refused", {
  skip,
}, async () => {
  const tls = { ...pair!, isImplicit: false };
  const relay = { tls: "starttls", tlsCa: path.join(folder, "cert.pem") } as const;
  const secret = path.join(folder, "secret");
  writeFileSync(secret, "pass word\n");
  for (const password of ["pass word", `file:${secret}`]) {
    const { commands, isWhole } = await talk(
      { tls, login: "lb pass word" },
      { ...relay, auth: { user: "lb", password } },
    );
    assert.ok(isWhole && commands.some((line) => line.startsWith("AUTH PLAIN ")), commands.join());
  }
  await assert.rejects(talk({ tls, login: "lb right" }, { ...relay, auth: { user: "lb", password: "wrong" } }), /535/);
});

test("a relay that says nothing is given up after the time limit", async () => {
  await assert.rejects(talk({ isDeaf: true }, { connectTimeoutMs: 50 }), /[Gg]reeting never received|[Tt]imeout/);
});

test("a mail that is under way when the program ends is given up", async () => {
  const server = await startSink(0, { isDeaf: true }, () => {});
  const end = new AbortController();
  const relay: Relay = {
    server: "127.0.0.1",
    port: server.port,
    heloName: "x",
    connectTimeoutMs: 60_000,
    isWithoutFaults: false,
    auth: undefined,
    tls: "off",
    tlsCa: undefined,
    isTlsUnverified: false,
  };
  try {
    const sent = sendMail(relay, ENVELOPE, end.signal);
    end.abort();
    await assert.rejects(sent, /given up/);
  } finally {
    server.close();
  }
});
