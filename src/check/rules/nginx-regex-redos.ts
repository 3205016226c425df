/** Expressions that a client can keep busy. */
import { type PatternUse, subjectKind } from "../nginx/patterns.ts";
import { placeOf } from "../nginx/site.ts";
import { siteRule } from "../nginx/site-rule.ts";
import { valuesOf } from "../nginx/values.ts";
import { costOf } from "../regex/backtracking.ts";

/** Texts that a client can't make long. */
const SHORT =
  /^(scheme|request_method|remote_addr|server_port|server_protocol|status|ssl_protocol|request_time|sent_http_.*|upstream_.*|time_.*|msec)$/;
/** With the square of the length even 8k of path are looked through in time. */
const HARMLESS = 2;

export const nginxRegexRedos = siteRule(
  "nginx-regex-redos",
  "A client can make an expression backtrack for a very long time.",
  (site) => valuesOf(site).patterns.flatMap(look),
);

function look({ automaton, subject, source, directive }: PatternUse) {
  if (automaton === undefined || SHORT.test(subjectKind(subject) ?? "")) return [];
  const cost = costOf(automaton);
  if (cost === undefined || (cost !== "exponential" && cost <= HARMLESS)) return [];
  return [
    {
      severity: cost === "exponential" ? ("warning" as const) : ("info" as const),
      title:
        cost === "exponential"
          ? `A short text keeps the expression ${source} busy for ever`
          : `The time of the expression ${source} grows with the power ${cost} of the text's length`,
      why:
        cost === "exponential"
          ? "It has a repetition within a repetition, or alternatives that match the same, so there are very many ways to read one text, and all are tried when none fits. nginx gives up after ten million steps and answers 500. Tandem goes on with an engine of linear time, but that one knows no look-around and no references: with those the worker serves nobody else meanwhile."
          : "Several repetitions in a row match the same text, and all ways to divide it among them are tried. A path may have 8,000 characters.",
      fix:
        cost === "exponential"
          ? "one repetition, of a class: [^/]+ instead of ([^/]+)*"
          : "classes that end where the next part begins: [^/]+ instead of .*",
      places: [placeOf(directive)],
    },
  ];
}
