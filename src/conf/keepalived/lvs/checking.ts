/**
 * Keywords that a virtual server has for all its real servers, and each of those for itself: how their checkers look, and who is
 * told. keepalived: check_parser.c.
 */
import type { Draft, Keywords } from "../interpreter.ts";
import { type About, keyword, slotsOf } from "../slots.ts";
import { MAX_TIMEOUT_S, MAX_U32, text, timer, toggle } from "./slots.ts";

/** What the two drafts have in common. */
export interface CheckingDraft extends Draft {
  connectTimeoutMs?: number;
  delayLoopMs?: number;
  delayBeforeRetryMs?: number;
  warmupMs?: number;
  retries?: number;
  virtualhost?: string;
  smtpAlert?: boolean;
  snmpName?: string;
}

/** `real`: what is not said is the virtual server's. */
export function checkingKeywords(kind: "virtual" | "real"): Keywords<CheckingDraft> {
  const slots = slotsOf<CheckingDraft>();
  const standard = (own: string): Pick<About, "default"> => ({
    default: kind === "real" ? "the virtual server's" : own,
  });
  // keepalived spells some of a virtual server's keywords out when it complains.
  const spelt = (name: string): string => (kind === "real" ? name : name.replaceAll("_", " "));
  return {
    connect_timeout: timer<CheckingDraft>("connectTimeoutMs", {
      minUs: 1,
      maxS: MAX_TIMEOUT_S,
      ...standard("5"),
      doc: "Seconds until a connection of a checker has failed.",
      invalid: (word) => `${kind} server connect_timeout ${word} invalid - ignoring`,
    }),
    delay_loop: timer<CheckingDraft>("delayLoopMs", {
      minUs: 1,
      ...standard("60"),
      doc: "Seconds from one check to the next.",
      invalid: (word) => `${kind} server ${spelt("delay_loop")} '${word}' invalid - ignoring`,
    }),
    delay_before_retry: timer<CheckingDraft>("delayBeforeRetryMs", {
      minUs: 0,
      ...standard("the checker's"),
      doc: "Seconds until a failed check is tried again.",
      invalid: (word) => `${kind} server ${spelt("delay_before_retry")} '${word}' invalid - ignoring`,
    }),
    warmup: timer<CheckingDraft>("warmupMs", {
      minUs: 0,
      ...standard("delay_loop"),
      doc: "The first check comes after a random part of these seconds.",
      invalid: (word) => `${kind} server warmup '${word}' invalid - ignoring`,
    }),
    retry: slots.integer("retries", {
      min: 1,
      max: MAX_U32,
      ...standard("the checker's"),
      doc: "How often a failed check is tried again before the real server is down.",
      invalid: (word) => `retry value invalid - ${word}`,
    }),
    virtualhost: text<CheckingDraft>("virtualhost", {
      doc: "Host that HTTP_GET and SSL_GET ask for.",
      missing: `${kind} server virtualhost missing`,
    }),
    smtp_alert: toggle<CheckingDraft>("smtpAlert", {
      default: `smtp_alert_checker, else smtp_alert of global_defs, else ${kind === "real" ? "on" : "off"}`,
      doc:
        kind === "real"
          ? "Mail when one of its checkers changes its mind, and when it leaves."
          : "Mail when quorum is lost or gained.",
      invalid: (word) => `Invalid ${kind}_server smtp_alert parameter ${word}`,
    }),
    snmp_name: keyword({ syntax: "NAME", doc: "No effect: Tandem has no SNMP agent." }, (draft, line, scope) => {
      const [, name] = line.words;
      if (name !== undefined && line.words.length === 2) draft.snmpName = name;
      else scope.report("warn", `${kind} server snmp_name missing or extra parameters`, line.position);
    }),
  };
}
