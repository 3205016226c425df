/**
 * Keywords of `global_defs` about mail on a change of state, and what they come to. keepalived's counterpart: global_parser.c,
 * smtp.c. Authentication and TLS (`smtp_auth`, `smtp_tls` …) are extensions: keepalived speaks plain SMTP only.
 */
import type { MailSettings } from "./config.ts";
import type { GlobalsDraft, NotifyDraft } from "./drafts.ts";
import type { Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { readBoolean, readInteger } from "./numbers.ts";
import { keyword, slotsOf } from "./slots.ts";

const slots = slotsOf<GlobalsDraft>();

/** Seconds that fit keepalived's microseconds in 32 bits. */
const MAX_SECONDS = 4294;
const SMTP_PORT = 25;
const SMTP_TIMEOUT_MS = 30_000;

/** Keywords that only Tandem knows, for whoever says that a file uses them. */
export const MAIL_EXTENSIONS = ["smtp_auth", "smtp_tls", "smtp_tls_ca", "smtp_tls_verify"] as const;

const TLS_MODES = ["off", "starttls", "implicit"] as const;

export const mailKeywords: Keywords<GlobalsDraft> = {
  notification_email: keyword({ syntax: "{ ADDRESS… }", doc: "Who gets mail." }, (draft, _line, scope) => {
    const addresses: string[] = [];
    const end = scope.list((item) => addresses.push(...item.words));
    if (addresses.length === 0) scope.report("warn", "Warning - empty notification_email block", end);
    draft.mailTo = addresses;
  }),
  notification_email_from: slots.text("mailFrom", {
    doc: "Sender of mail.",
    syntax: "ADDRESS",
    default: "the user that runs it, at the host name",
    missing: "emailfrom missing - ignoring",
  }),
  smtp_server: keyword(
    { syntax: "HOST [PORT]", doc: "Mail relay; without it no mail is sent." },
    (draft, line, scope) => {
      const host = scope.word(line, 1);
      const port = readInteger(line.words[2] ?? String(SMTP_PORT), 1, 65535);
      if (host === undefined) return;
      if (!port.ok) {
        scope.report("warn", port.reason, line.position);
        scope.report("warn", `Invalid smtp server ${line.words.slice(1).join(" ")}`, line.position);
        return;
      }
      draft.smtpServer = host;
      draft.smtpPort = port.value;
    },
  ),
  smtp_helo_name: slots.text("smtpHeloName", {
    doc: "What the node calls itself to the relay.",
    default: "the host name",
  }),
  smtp_connect_timeout: slots.wholeSeconds("smtpConnectTimeoutMs", {
    min: 0,
    max: MAX_SECONDS,
    default: "30",
    doc: "Seconds to wait for the relay, for the connection and for each answer.",
    invalid: (text) => `smtp_connect_timeout '${text}' must be in [0, ${MAX_SECONDS}] - ignoring`,
    mend: (value) =>
      value > 0 ? undefined : { message: "smtp_conect_timeout must be greater than 0, setting to 1", value: 1 },
  }),
  smtp_alert: alert("smtpAlert", "smtp_alert", "Mail on changes of state, where nothing else says so."),
  smtp_alert_vrrp: alert("smtpAlertVrrp", "smtp_alert_vrrp", "The same for instances and sync groups; it goes first."),
  no_email_faults: slots.flag("isWithoutFaultMail", { doc: "No mail when something enters FAULT." }),
  smtp_auth: keyword(
    {
      syntax: "USER PASSWORD|file:PATH",
      doc: "Name and password for the relay; with file: the password is the first line of that file. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const [, user, password] = line.words;
      if (user === undefined || password === undefined || password === "file:") {
        scope.report("error", "smtp_auth needs a user and a password", line.position);
        return;
      }
      draft.smtpUser = user;
      draft.smtpPassword = password;
    },
  ),
  smtp_tls: keyword(
    {
      syntax: "off|starttls|implicit",
      default: "off",
      doc: "TLS to the relay: none, begun by STARTTLS, which is then insisted on, or from the first byte. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const mode = TLS_MODES.find((one) => one === line.words[1]);
      if (mode === undefined)
        scope.report("error", `smtp_tls '${line.words[1] ?? ""}' must be off, starttls or implicit`, line.position);
      else draft.smtpTls = mode;
    },
  ),
  smtp_tls_ca: slots.text("smtpTlsCa", {
    syntax: "PATH",
    default: "the certificates that come with Node",
    doc: "Certificates (PEM) that the relay's is checked with. An extension of Tandem's.",
  }),
  smtp_tls_verify: keyword(
    {
      syntax: "[on|off]",
      default: "on",
      doc: "Checks the relay's certificate; with off, whatever it shows is taken. An extension of Tandem's.",
    },
    (draft, line, scope) => {
      const value = line.words[1] === undefined ? true : readBoolean(line.words[1]);
      if (value === undefined)
        scope.report("error", `smtp_tls_verify '${line.words[1]}' must be on or off`, line.position);
      else draft.isSmtpTlsUnverified = !value;
    },
  ),
  smtp_alert_checker: alert(
    "smtpAlertChecker",
    "smtp_alert_checker",
    "The same for virtual and real servers.",
    "unset",
  ),
  no_checker_emails: slots.flag("isWithoutCheckerMail", {
    doc: "Mail about a real server only when it comes up or goes down, not when one checker of several does.",
  }),
};

function alert(
  key: "smtpAlert" | "smtpAlertVrrp" | "smtpAlertChecker",
  name: string,
  doc: string,
  fallback = "off",
): Keyword<GlobalsDraft> {
  return keyword({ syntax: "[on|off]", default: fallback, doc }, (draft, line, scope) => {
    const word = line.words[1];
    const value = word === undefined ? true : readBoolean(word);
    if (value === undefined)
      scope.report("warn", `Invalid value '${word}' for global ${name} specified`, line.position);
    else draft[key] = value;
  });
}

/** `smtp_alert` of an instance or a group. */
export function readAlert<D extends NotifyDraft>(
  draft: D,
  line: Line,
  scope: Interpreter,
  invalid: (text: string) => string,
): void {
  const text = line.words[1];
  const value = text === undefined ? true : readBoolean(text);
  if (value === undefined) scope.report("warn", invalid(text as string), line.position);
  else draft.smtpAlert = value;
}

/** Whether a block's changes are told by mail: its own word, else the one for VRRP, else the general one. */
export function alertOf({ smtpAlert }: NotifyDraft, globals: GlobalsDraft): boolean {
  return smtpAlert ?? globals.smtpAlertVrrp ?? globals.smtpAlert ?? false;
}

/** The same for a server: its own word, else the one for checkers, else the general one, else `fallback`. */
export function serverAlertOf(
  { smtpAlert }: { readonly smtpAlert?: boolean },
  globals: GlobalsDraft,
  fallback: boolean,
): boolean {
  return smtpAlert ?? globals.smtpAlertChecker ?? globals.smtpAlert ?? fallback;
}

/** The frozen form. */
export function completeMail(draft: GlobalsDraft): MailSettings {
  const { smtpUser: user, smtpPassword: password } = draft;
  return Object.freeze({
    to: Object.freeze([...(draft.mailTo ?? [])]),
    from: draft.mailFrom,
    server: draft.smtpServer,
    port: draft.smtpPort ?? SMTP_PORT,
    heloName: draft.smtpHeloName,
    connectTimeoutMs: draft.smtpConnectTimeoutMs ?? SMTP_TIMEOUT_MS,
    isWithoutFaults: draft.isWithoutFaultMail ?? false,
    auth: user === undefined || password === undefined ? undefined : Object.freeze({ user, password }),
    tls: draft.smtpTls ?? "off",
    tlsCa: draft.smtpTlsCa,
    isTlsUnverified: draft.isSmtpTlsUnverified ?? false,
  });
}
