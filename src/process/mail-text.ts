/** Mail about changes of state, word for word as keepalived writes it: smtp.c, vrrp_notify.c. Pure. */
import type { MailText } from "../io/mail.ts";
import type { NotifyEvent, NotifyState } from "../vrrp/ports.ts";

type Told = Extract<NotifyState, "MASTER" | "BACKUP" | "FAULT" | "STOP" | "DELETED">;

const SUBJECTS: Readonly<Record<Told, string>> = {
  MASTER: "Entering MASTER state",
  BACKUP: "Entering BACKUP state",
  FAULT: "Entering FAULT state",
  STOP: "Stopping",
  DELETED: "Deleted",
};
const LOST = "=> VRRP Instance is no longer owning VRRP VIPs <=";
const BODIES: Readonly<Record<NotifyEvent["type"], Readonly<Record<Told, string>>>> = {
  INSTANCE: {
    MASTER: "=> VRRP Instance is now owning VRRP VIPs <=",
    BACKUP: LOST,
    FAULT: LOST,
    STOP: "=> VRRP Instance stopping <=",
    DELETED: "=> VRRP Deleted at reload <=",
  },
  GROUP: {
    MASTER: "=> All VRRP group instances are now in MASTER state <=",
    BACKUP: "=> All VRRP group instances are now in BACKUP state <=",
    FAULT: "=> All VRRP group instances are now in FAULT state <=",
    STOP: "=> All VRRP group instances are now stopping <=",
    DELETED: "",
  },
};
/** RFC 5322 §2.1.1, with room for the name of the field. */
const MAX_LINE_CHARACTERS = 900;

/** The mail about an event; undefined for those that none is written about. */
export function mailAbout({ type, name, state }: NotifyEvent): MailText | undefined {
  if (!(state in SUBJECTS)) return undefined;
  const body = BODIES[type][state as Told];
  if (body === "") return undefined;
  const kind = type === "INSTANCE" ? "Instance" : "Group";
  return { subject: `VRRP ${kind} ${name} - ${SUBJECTS[state as Told]}`, body };
}

/** `Name <address>` with its name in quotes where RFC 5322 §3.2.3 asks for them. */
export function formatAddress(text: string): string {
  const open = text.endsWith(">") ? text.lastIndexOf("<") : -1;
  if (open <= 0) return text;
  const name = text.slice(0, open).trimEnd();
  if (!/[()<>[\]:;@\\,.]/.test(name) || (name.startsWith('"') && name.endsWith('"'))) return text;
  return `"${name.replaceAll(/["\\]/g, "\\$&")}"${text.slice(name.length)}`;
}

/** What MAIL FROM and RCPT TO want of it. */
export function bareAddress(text: string): string {
  const open = text.endsWith(">") ? text.lastIndexOf("<") : -1;
  return open < 0 ? text : text.slice(open + 1, -1);
}

/** Everything behind DATA, with its ends of lines. `sender` is the router_id, or the host. */
export function printMail(
  { subject, body }: MailText,
  envelope: { readonly from: string; readonly to: readonly string[]; readonly sender: string },
  now: Date,
): string {
  const to = envelope.to.map(formatAddress);
  const short = to.join(", ");
  return [
    `Date: ${printDate(now)}`,
    `From: ${oneLine(envelope.from)}`,
    `Subject: ${oneLine(`[${envelope.sender}] ${subject}`)}`,
    "X-Mailer: Keepalived",
    `To: ${short.length <= MAX_LINE_CHARACTERS ? oneLine(short) : to.map(oneLine).join(",\r\n ")}`,
    "",
    body.replaceAll(/\r?\n/g, "\r\n"),
    "",
    "",
  ].join("\r\n");
}

/** A name in the configuration may hold an end of line, which would begin another header. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ");
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `Mon, 01 Mar 2021 09:44:08 +0100`, local time. */
function printDate(now: Date): string {
  const two = (value: number): string => String(Math.trunc(Math.abs(value))).padStart(2, "0");
  const zone = -now.getTimezoneOffset();
  const offset = `${zone < 0 ? "-" : "+"}${two(zone / 60)}${two(zone % 60)}`;
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":");
  return `${DAYS[now.getDay()]}, ${two(now.getDate())} ${MONTHS[now.getMonth()]} ${now.getFullYear()} ${time} ${offset}`;
}
