/** `garp_group`: how close together announcements may leave an interface, or several interfaces taken together. keepalived: vrrp_parser.c. */
import type { GarpGroup } from "./config.ts";
import type { ConfigDraft } from "./drafts.ts";
import type { Draft, Interpreter, Keyword, Keywords, Line } from "./interpreter.ts";
import { readTimer } from "./lvs/slots.ts";
import { keyword } from "./slots.ts";
import type { TrackContext } from "./tracks.ts";

/** Seconds that fit keepalived's microseconds in 31 bits. */
const MAX_SECONDS = 2147.483647;

interface GarpGroupDraft extends Draft {
  garpIntervalMs?: number;
  gnaIntervalMs?: number;
  readonly interfaces: string[];
}

/** The keyword. */
export function garpGroup({ machine, isDynamic, config }: TrackContext): Keyword<ConfigDraft> {
  const add = (group: GarpGroupDraft, name: string, report: (message: string) => void): void => {
    if (!isDynamic && machine?.interfaceState(name) === "absent") {
      report(`WARNING - interface ${name} specified for garp_group doesn't exist`);
      config.isTrackedInterfaceMissing = true;
    } else if ([group, ...config.garpGroups].some(({ interfaces }) => interfaces.includes(name)))
      report(`garp_group already specified for ${name} - ignoring`);
    else group.interfaces.push(name);
  };
  const table: Keywords<GarpGroupDraft> = {
    garp_interval: interval("garpIntervalMs", "Seconds between gratuitous ARP messages."),
    gna_interval: interval("gnaIntervalMs", "Seconds between unsolicited neighbour advertisements."),
    interface: keyword({ syntax: "NAME", doc: "An interface that this is for." }, (group, line, scope) => {
      const name = scope.word(line, 1);
      if (name !== undefined) add(group, name, (message) => scope.report("warn", message, line.position));
    }),
    interfaces: keyword(
      {
        syntax: "{ NAME… }",
        doc: "Interfaces that share these times: a message on one of them holds back the others'.",
      },
      (group, line, scope) => {
        if (line.words.length > 1) {
          const extra = `Block interfaces has extra parameters ${line.words[1]} ...`;
          scope.report("warn", extra, line.position);
        }
        const names: string[] = [];
        const end = scope.list((item) => names.push(...item.words));
        if (names.length === 0) scope.report("warn", "Warning - empty garp_group interfaces block", end);
        for (const name of names) add(group, name, (message) => scope.report("warn", message, end));
      },
    ),
  };
  return keyword(
    { syntax: "{ … }", doc: "Spaces announcements out, on one interface or over several of them." },
    (draft, _line, scope) => readGroup(draft, scope, table),
    table as Keywords<never>,
  );
}

function interval(key: "garpIntervalMs" | "gnaIntervalMs", doc: string): Keyword<GarpGroupDraft> {
  return keyword({ syntax: "SECONDS", default: "none", doc }, (group, line: Line, scope) => {
    const read = readTimer(line, scope, 0, MAX_SECONDS);
    if (read === undefined) return;
    if (read.isIgnored) scope.report("warn", `garp_group ${line.words[0]} '${read.text}' invalid`, line.position);
    else group[key] = read.ms ?? 0; // what is no number has been complained about, and keepalived has it set
  });
}

function readGroup(draft: ConfigDraft, scope: Interpreter, table: Keywords<GarpGroupDraft>): void {
  const group: GarpGroupDraft = { where: new Map(), interfaces: [] };
  const end = scope.block(table, group);
  const { garpIntervalMs, gnaIntervalMs, interfaces } = group;
  if (garpIntervalMs === undefined && gnaIntervalMs === undefined) {
    scope.report("warn", "garp group 0 does not have any delay set - removing", end);
    return;
  }
  const complete: GarpGroup = {
    garpIntervalMs: garpIntervalMs ?? 0,
    gnaIntervalMs: gnaIntervalMs ?? 0,
    interfaces: Object.freeze(interfaces),
  };
  draft.garpGroups.push(Object.freeze(complete));
}
