/** nginx.conf files for tests of rules: the lines of an http block, checked as `tandem check` checks a file. */
import { readerOf } from "../../conf/keepalived/example.ts";
import { anyHost, bindNginx } from "../bind-nginx.ts";
import { buildSubject } from "../build-subject.ts";
import type { Finding } from "../finding.ts";
import { RULES, runRules } from "../rules.ts";

/** The findings of a rule about a file that includes others, which lie beside it. */
export function lintFiles(rule: string, text: string, files: Readonly<Record<string, string>>): readonly Finding[] {
  const here = Object.entries(files).map(([name, content]) => [`/srv/${name}`, content]);
  const request = {
    keepalived: undefined,
    nginx: "/srv/nginx.conf",
    peerKeepalived: undefined,
    peerNginx: undefined,
    configId: "",
  };
  const subject = buildSubject(request, {
    reader: readerOf({ ...Object.fromEntries(here), "/srv/nginx.conf": text }),
    facts: undefined,
    bindNginx: (source) => bindNginx(source, anyHost),
  });
  return runRules(
    subject,
    RULES.filter(({ id }) => id === rule),
  );
}

/** The findings of a rule about a whole file. */
export function lintFile(rule: string, text: string): readonly Finding[] {
  return lintFiles(rule, text, {});
}

/** The findings of a rule about the lines of an http block. */
export function lint(rule: string, ...lines: readonly string[]): readonly Finding[] {
  return lintFile(rule, `worker_processes auto;\nevents {\n}\nhttp {\n${lines.join("\n")}\n}\n`);
}

/** The lines that a rule points at, as they are written, each finding's in order. */
export function flagged(rule: string, ...lines: readonly string[]): readonly string[] {
  return textsOf(lint(rule, ...lines));
}

/** The same inside of one server. */
export function flaggedInServer(rule: string, ...lines: readonly string[]): readonly string[] {
  return flagged(rule, "server {", ...lines, "}");
}

/** The lines of findings. */
export function textsOf(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ places }) => places.map(({ text = "" }) => text.trim()));
}
