/** Mail about virtual and real servers, word for word as keepalived writes it: smtp.c, ipwrapper.c, the epilog of each check_*.c. Pure. */
import type { Checker, FileChecker } from "../conf/keepalived/lvs/config.ts";
import type { MailText } from "../io/mail.ts";

/** Why mail is written about a virtual server. */
export interface QuorumNews {
  readonly quorum: number;
  readonly hysteresis: number;
  /** What the weight was compared with, and the weight. */
  readonly threshold: number;
  readonly weight: number;
  readonly isFirst: boolean;
}

/** Quorum is gained or lost, or was so at the start. */
export function quorumMail(service: string, hasQuorum: boolean, news: QuorumNews): MailText {
  const { quorum, hysteresis, threshold, weight, isFirst } = news;
  const what = isFirst
    ? `Starting with quorum ${hasQuorum ? "up" : "down"}`
    : `${hasQuorum ? "Gained" : "Lost"} quorum`;
  return serviceMail(service, hasQuorum, `${what} ${quorum}+${hysteresis}=${threshold} <= ${weight}`);
}

/** The program stops. */
export function stoppingMail(service: string): MailText {
  return serviceMail(service, false, "Shutting down");
}

function serviceMail(service: string, isUp: boolean, text: string): MailText {
  return { subject: `Virtualserver ${service} - ${isUp ? "UP" : "DOWN"}`, body: `=> ${text} <=` };
}

/** About a real server; whether it is up is the server's own state, whatever one of its checkers has found. */
export function serverMail(service: string, server: string, isAlive: boolean, body: string): MailText {
  return { subject: `Realserver ${server} of virtual server ${service} - ${isAlive ? "UP" : "DOWN"}`, body };
}

/** A real server leaves. */
export function leavingText(isStopping: boolean): string {
  return isStopping ? "=> Shutting down <=" : "=> Removing <=";
}

/** What a checker has found (files are followed without mail); `why` in its own words, `isTimeout` when a program took too long. */
export function checkText(
  checker: Exclude<Checker, FileChecker>,
  isUp: boolean,
  { why, isTimeout = false }: { readonly why: string; readonly isTimeout?: boolean },
): string {
  const verb = isUp ? "succeed" : "failed";
  switch (checker.kind) {
    case "TCP_CHECK":
      return `=> TCP CHECK ${verb} on service <=`;
    case "UDP_CHECK":
      return `=> UDP CHECK ${verb} on service <=`;
    case "PING_CHECK":
      return `=> ICMP CHECK ${verb} on service <=`;
    case "DNS_CHECK":
      return `=> DNS_CHECK: ${verb} on service <=`;
    case "HTTP_GET":
    case "SSL_GET":
      return isUp ? "=> CHECK succeed on service <=" : "=> CHECK failed on service : HTTP request failed <=";
    case "SMTP_CHECK":
      return isUp ? "=> CHECK succeed on service <=" : `=> CHECK failed on service : ${why} <=`;
    case "MISC_CHECK":
      return `=> MISC CHECK ${isUp ? "succeeded" : isTimeout ? "timed out" : "failed"} on service <=`;
    case "BFD_CHECK":
      return `=> BFD CHECK ${checker.session} ${isUp ? "succeeded" : "failed"} on service <=`;
  }
}
