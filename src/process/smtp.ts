/** One mail to the relay. The only importer of nodemailer, loaded when there is a first mail to send: see docs/decisions/. */
import { readFileSync } from "node:fs";
import type { SMTPConnectionOptions } from "nodemailer/lib/smtp-connection";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { MailSettings } from "../conf/keepalived/config.ts";

/** A relay, and what this node calls itself to it. */
export type Relay = Omit<MailSettings, "to" | "from" | "server"> & { readonly server: string };

/** A mail as SMTP has it. */
export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  /** Header and body. */
  readonly raw: string;
}

const PASSWORD_FILE = "file:";
/** How long a relay may take to close its side. */
const CLOSE_MS = 500;

/** Resolves when the relay has taken the mail; rejects with the reason why not, or when `signal` says that nobody waits any more. */
export function sendMail(relay: Relay, { from, to, raw }: Envelope, signal: AbortSignal): Promise<void> {
  const { auth } = relay;
  return new Promise((resolve, reject) => {
    // What can't be read throws here, which rejects.
    const login = auth && { user: auth.user, pass: passwordOf(auth.password) };
    const connection = new SMTPConnection(optionsOf(relay));
    const fail = (error: Error): void => {
      connection.close();
      reject(error);
    };
    const next =
      (step: () => void) =>
      (error?: Error | null): void => {
        if (error) fail(error);
        else step();
      };
    const send = (): void => connection.send({ from, to: [...to] }, raw, next(quit));
    const quit = (): void => {
      connection.quit();
      resolve();
    };
    connection.on("error", fail);
    signal.addEventListener("abort", () => fail(new Error("given up")), { once: true });
    connection.connect(
      next(() => {
        if (login === undefined) send();
        else connection.login(login, next(send));
      }),
    );
  });
}

function optionsOf(relay: Relay): SMTPConnectionOptions {
  const { server, port, heloName, connectTimeoutMs, tls, tlsCa, isTlsUnverified } = relay;
  return {
    host: server,
    port,
    secure: tls === "implicit",
    ignoreTLS: tls === "off",
    requireTLS: tls === "starttls",
    ...(heloName === undefined ? {} : { name: heloName }),
    tls: {
      rejectUnauthorized: !isTlsUnverified,
      ...(tlsCa === undefined ? {} : { ca: readFileSync(tlsCa, "utf8") }),
    },
    dnsTimeout: connectTimeoutMs,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    socketTimeout: connectTimeoutMs,
    socketCloseTimeout: CLOSE_MS,
    // A relay on the machine itself is a relay.
    allowInternalNetworkInterfaces: true,
  };
}

/** Read anew for every mail: whoever changes it need not reload. */
function passwordOf(text: string): string {
  if (!text.startsWith(PASSWORD_FILE)) return text;
  return readFileSync(text.slice(PASSWORD_FILE.length), "utf8").split(/\r?\n/, 1)[0] as string;
}
