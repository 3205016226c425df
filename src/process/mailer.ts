/**
 * Mail on changes of state, sent by the supervisors, which may be slow without harm: a relay that does not answer costs routers and
 * checkers nothing. keepalived's counterpart: smtp.c in its VRRP and healthcheck processes.
 */
import { hostname, userInfo } from "node:os";
import type { Log } from "../base/log.ts";
import type { KeepalivedConfig, MailSettings } from "../conf/keepalived/config.ts";
import type { MailText } from "../io/mail.ts";
import type { NotifyEvent, NotifyState } from "../vrrp/ports.ts";
import { bareAddress, mailAbout, printMail } from "./mail-text.ts";
import type { Envelope, Relay } from "./smtp.ts";

/** Mails that wait while one is being sent; a flapping router must not fill the memory. */
export const MAX_WAITING_MAILS = 64;

/** What a stop waits for mail about it to leave; keepalived leaves before its mail does. */
export const STOP_MAIL_MS = 3000;

/** Hands one mail to a relay. */
export type SendMail = (relay: Relay, envelope: Envelope, signal: AbortSignal) => Promise<void>;

/** What is loaded with the first mail. */
const loadSmtp: SendMail = async (relay, envelope, signal) => {
  const { sendMail } = await import("./smtp.ts");
  await sendMail(relay, envelope, signal);
};

export class Mailer {
  readonly #log: Log;
  readonly #send: SendMail;
  #globals: KeepalivedConfig["globals"] | undefined;
  /** Who is told about, by type and name; those of the configuration before are still stopped and deleted. */
  #alerts: ReadonlyMap<string, boolean> = new Map();
  #alertsBefore: ReadonlyMap<string, boolean> = new Map();
  /** Of whom the last mail was, so that the same is not said twice. */
  readonly #lastStates = new Map<string, NotifyState>();
  readonly #waiting: MailText[] = [];
  #underWay: Promise<void> | undefined;
  readonly #end = new AbortController();
  #isFull = false;

  constructor(log: Log, send: SendMail = loadSmtp) {
    this.#log = log;
    this.#send = send;
  }

  /** For the routers. */
  configure(config: KeepalivedConfig): void {
    const { globals, instances, syncGroups } = config;
    this.#alertsBefore = this.#alerts;
    this.#alerts = new Map([
      ...instances.map(({ name, smtpAlert }) => [`INSTANCE ${name}`, smtpAlert] as const),
      ...syncGroups.map(({ name, smtpAlert }) => [`GROUP ${name}`, smtpAlert] as const),
    ]);
    this.#use(globals, [...this.#alerts.values()].includes(true));
  }

  /** For virtual servers, whose mail is written where it is decided. */
  configureServers({ globals, virtualServers }: KeepalivedConfig): void {
    const says = ({ where }: { readonly where: KeepalivedConfig["globals"]["where"] }): boolean =>
      where.has("smtp_alert") || where.has("smtp_alert_checker");
    // Mail about real servers is on unless it is turned off: only who asks for it is told that none can be sent.
    const blocks = virtualServers.flatMap((server) => [server, ...server.realServers]);
    this.#use(
      globals,
      blocks.some((block) => block.smtpAlert && (says(block) || says(globals))),
    );
  }

  #use(globals: KeepalivedConfig["globals"], isAsked: boolean): void {
    this.#globals = globals;
    const { server, to } = globals.mail;
    if (isAsked && (server === undefined || to.length === 0))
      this.#log.write(
        "notice",
        `smtp_alert: no mail is sent without ${server === undefined ? "smtp_server" : "notification_email"}`,
      );
  }

  /** keepalived's rules: who asks for it, no faults with `no_email_faults`, nothing twice. */
  notify(event: NotifyEvent): void {
    const { type, name, state } = event;
    const key = `${type} ${name}`;
    const mail = this.#globals?.mail;
    const text = mailAbout(event);
    if (text === undefined || mail === undefined) return;
    if ((this.#alerts.get(key) ?? this.#alertsBefore.get(key)) !== true) return;
    if ((state === "FAULT" && mail.isWithoutFaults) || this.#lastStates.get(key) === state) return;
    this.#lastStates.set(key, state);
    this.send(text);
  }

  /** Queues a mail, if there is anybody to send it to. */
  send(text: MailText): void {
    const { server, to } = this.#globals?.mail ?? {};
    if (server === undefined || to === undefined || to.length === 0) return;
    if (this.#waiting.length >= MAX_WAITING_MAILS) {
      if (!this.#isFull)
        this.#log.write("error", `${MAX_WAITING_MAILS} mails wait for the SMTP server, further ones are dropped`);
      this.#isFull = true;
      return;
    }
    this.#waiting.push(text);
    this.#underWay ??= this.#work();
  }

  /** Waits for what is queued; what has not gone by then never will. */
  async close(limitMs: number): Promise<void> {
    if (this.#underWay === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), limitMs);
    });
    const result = await Promise.race([this.#underWay, late]);
    clearTimeout(timer);
    if (result !== "late") return;
    this.#log.write("error", `${this.#waiting.length + 1} mails were not sent before the end`);
    this.#waiting.length = 0;
    this.#end.abort();
  }

  async #work(): Promise<void> {
    for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
      await this.#sendOne(text);
      this.#isFull = false;
    }
    this.#underWay = undefined;
  }

  async #sendOne(text: MailText): Promise<void> {
    const globals = this.#globals;
    const { server } = globals?.mail ?? {};
    if (globals === undefined || server === undefined) return;
    const { mail, routerId } = globals;
    const from = mail.from ?? defaultSender();
    const raw = printMail(text, { from, to: mail.to, sender: routerId ?? hostname() }, new Date());
    const envelope = { from: bareAddress(from), to: mail.to.map(bareAddress), raw };
    const where = `[${server}]:${mail.port}`;
    try {
      await this.#send({ ...mail, server, heloName: mail.heloName ?? hostname() }, envelope, this.#end.signal);
      this.#log.write("info", `SMTP alert successfully sent to ${where}: ${text.subject}`);
    } catch (error) {
      this.#log.write(
        "error",
        `${complaint(error as Error & { readonly code?: string }, where)}, lost: ${text.subject}`,
      );
    }
  }
}

/** keepalived's words for what goes wrong most often. */
function complaint({ code, message }: Error & { readonly code?: string }, where: string): string {
  const [first = ""] = message.split("\n");
  if (code === "ETIMEDOUT") return `Timeout connecting SMTP server ${where}: ${first}`;
  if (code === "ESOCKET" || code === "ECONNECTION" || code === "EDNS")
    return `SMTP connection ERROR to ${where}: ${first}`;
  return `Error of SMTP server ${where}: ${first}`;
}

function defaultSender(): MailSettings["from"] & string {
  return `${userInfo().username}@${hostname()}`;
}
