/** The findings as text for a person at a terminal, at any hour. */
import { printIp } from "../base/ip.ts";
import { outlookOf, printSpan } from "./failover.ts";
import { type Finding, SEVERITIES, type Severity } from "./finding.ts";
import { nodesOf, type Subject } from "./subject.ts";
import { splitOf, type Verdict } from "./verdict.ts";

/** How to print. */
export interface Style {
  readonly columns: number;
  readonly hasColour: boolean;
}

const HEADINGS: Readonly<Record<Severity, string>> = {
  error: "Errors: what breaks",
  warning: "Warnings: what hurts one day",
  info: "Good to know",
};
const COLOURS = { red: 31, yellow: 33, green: 32, cyan: 36, bold: 1, dim: 2 } as const;
const COLOUR_OF: Readonly<Record<Severity, keyof typeof COLOURS>> = { error: "red", warning: "yellow", info: "cyan" };
const MIN_COLUMNS = 60;
const MAX_COLUMNS = 110;

/** The whole report, with an end of line at its end. */
export function printReport(subject: Subject, findings: readonly Finding[], verdict: Verdict, style: Style): string {
  const printer = new Printer(style);
  printer.verdict(verdict);
  printer.outlook(subject, splitOf(findings) !== undefined);
  const isPair = subject.node.file !== "";
  for (const severity of SEVERITIES) printer.group(severity, findings, isPair);
  printer.summary(subject, findings);
  return printer.text;
}

class Printer {
  readonly #lines: string[] = [];
  readonly #columns: number;
  readonly #hasColour: boolean;

  constructor({ columns, hasColour }: Style) {
    this.#columns = Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, columns));
    this.#hasColour = hasColour;
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  verdict({ level, sentence, reason }: Verdict): void {
    const colour = level === "good" ? "green" : level === "bad" ? "red" : "yellow";
    this.#lines.push("", ...this.#wrap(sentence, "", (line) => this.#paint(this.#paint(line, colour), "bold")));
    if (reason !== "") this.#lines.push(...this.#wrap(reason, ""));
  }

  /** What happens in the events that a pair is there for. */
  outlook(subject: Subject, isSplit: boolean): void {
    for (const pair of subject.pairs) {
      const addresses = pair.a.addresses.slice(0, 2).map(({ address }) => printIp(address));
      const more = pair.a.addresses.length > 2 ? " …" : "";
      const name = `${pair.a.name} (${addresses.join(", ")}${more})`;
      if (isSplit) {
        this.#heading(`What ${name} will do: ${pair.nodeA.label} and ${pair.nodeB.label} both take the address`);
        this.#lines.push(
          ...this.#wrap("Each of them keeps it for as long as it runs. There is no fail-over to speak of.", "  "),
        );
        continue;
      }
      const { roles, activePriority, backupPriority, gracefulStop, nodeDies, serviceDies, returnsAfter, service } =
        outlookOf(pair);
      const active = `${roles.activeNode.label} (priority ${withNominal(activePriority, roles.active.priority)})`;
      const backup = `${roles.backupNode.label} (${withNominal(backupPriority, roles.backup.priority)})`;
      this.#heading(`What ${name} will do: ${active} has the address, ${backup} waits`);
      const serviceRow = [
        `${service} on ${roles.activeNode.label} dies for good`,
        serviceDies.kind === "moves"
          ? printSpan(serviceDies.span)
          : serviceDies.kind === "stays"
            ? "for ever"
            : "unknown",
        serviceDies.how,
      ] as const;
      const rows = [
        [`${roles.activeNode.label} is stopped in good order`, printSpan(gracefulStop), ""],
        [`${roles.activeNode.label} dies, or its network`, printSpan(nodeDies), ""],
        ...(service === undefined ? [] : [serviceRow]),
        [
          `${roles.activeNode.label} comes back`,
          "not at all",
          returnsAfter === undefined
            ? "the address stays where it is"
            : `it takes the address back ${printSpan(returnsAfter)} after its start; connections that are open then break`,
        ],
      ] as const;
      const width = Math.max(...rows.map(([event]) => event.length));
      const second = Math.max(...rows.map(([, wait]) => wait.length), "clients wait".length);
      this.#lines.push(this.#paint(`  ${"".padEnd(width)}  clients wait`, "dim"));
      for (const [event, wait, note] of rows) {
        const start = `  ${event.padEnd(width)}  ${wait.padEnd(second)}  `;
        const [firstNote = "", ...rest] = this.#wrap(note, "", undefined, this.#columns - start.length);
        this.#lines.push(`${start}${firstNote}`.trimEnd());
        for (const line of rest) this.#lines.push(" ".repeat(start.length) + line);
      }
    }
  }

  group(severity: Severity, findings: readonly Finding[], isPair: boolean): void {
    const group = findings.filter((finding) => finding.severity === severity);
    if (group.length === 0) return;
    const heading =
      severity === "error" ? `${HEADINGS.error} ${isPair ? "the pair" : "or gives away"}` : HEADINGS[severity];
    this.#heading(`${heading} (${group.length})`, COLOUR_OF[severity]);
    for (const [index, finding] of group.entries()) {
      if (index > 0) this.#lines.push("");
      this.#finding(finding, severity);
    }
  }

  #finding({ rule, title, nodes, why, detail, fix, places }: Finding, severity: Severity): void {
    const [node, other] = nodes ?? [];
    const where = node === undefined ? "" : other === undefined ? `${node}: ` : "Both nodes: ";
    const said = where === "" ? title : where + title.replace(/^[A-Z](?=[a-z]* )/, (letter) => letter.toLowerCase());
    const lines = this.#wrap(`* ${said}`, "  ", (line) => this.#paint(this.#paint(line, COLOUR_OF[severity]), "bold"));
    this.#lines.push(...lines.slice(0, -1), `${lines.at(-1)}${this.#paint(`  [${rule}]`, "dim")}`);
    for (const { file, line, column, text, isExact } of places) {
      const place = `${file}:${line}`;
      const shown = text === undefined ? "" : clip(text.trim().replaceAll("\t", " "), this.#columns - place.length - 8);
      this.#lines.push(`    ${this.#paint(place, "cyan")}${shown === "" ? "" : `  ${shown}`}`);
      if (isExact === true && column !== undefined && text !== undefined) {
        const indent = text.length - text.trimStart().length;
        this.#lines.push(
          `${" ".repeat(4 + place.length + 2 + column - 1 - indent)}${this.#paint("^", COLOUR_OF[severity])}`,
        );
      }
    }
    this.#lines.push(...this.#wrap(detail === undefined ? why : `${why} Here: ${detail}.`, "    "));
    if (fix !== undefined) this.#lines.push(...this.#wrap(`Fix: ${fix}.`, "    "));
  }

  summary(subject: Subject, findings: readonly Finding[]): void {
    const counts = SEVERITIES.map((severity) => {
      const count = findings.filter((finding) => finding.severity === severity).length;
      return `${count} ${severity === "info" ? "note" : severity}${count === 1 ? "" : "s"}`;
    });
    const files = nodesOf(subject).flatMap(({ file, nginx, scripts }) => [
      ...(nginx === undefined ? [] : [nginx.file]),
      ...(file === "" ? [] : [file]),
      ...scripts.flatMap(({ source }) => source ?? []),
    ]);
    this.#lines.push("", ...this.#wrap(`${counts.join(", ")}. Read: ${[...new Set(files)].join(", ")}.`, ""));
    if (subject.facts === undefined)
      this.#lines.push(...this.#wrap("Not looked at: interfaces, files and firewall of this machine (--offline).", ""));
  }

  #heading(text: string, colour?: keyof typeof COLOURS): void {
    this.#lines.push(
      "",
      ...this.#wrap(text, "", (line) => this.#paint(colour === undefined ? line : this.#paint(line, colour), "bold")),
    );
  }

  #paint(text: string, colour: keyof typeof COLOURS): string {
    return this.#hasColour ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  }

  /** Breaks a text at blanks. */
  #wrap(
    text: string,
    indent: string,
    paint: (line: string) => string = (line) => line,
    columns = this.#columns,
  ): string[] {
    const width = Math.max(20, columns) - indent.length;
    const lines: string[] = [];
    let line = "";
    for (const word of text.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(paint(indent + line));
        line = "";
      }
      line = line === "" ? word : `${line} ${word}`;
    }
    if (line !== "") lines.push(paint(indent + line));
    return lines;
  }
}

function withNominal(effective: number, nominal: number): string {
  return effective === nominal ? String(nominal) : `${effective}, not ${nominal}`;
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(10, width - 1))}…`;
}
