/** Keywords of `real_server`. keepalived: check_parser.c. */
import { printIp } from "../../../base/ip.ts";
import { command } from "../commands.ts";
import type { Interpreter, Keyword, Keywords, Line } from "../interpreter.ts";
import { keyword, slotsOf } from "../slots.ts";
import { portText, readServerAddress } from "./addresses.ts";
import { type CheckerContext, checkerKeywords } from "./checkers.ts";
import { checkingKeywords } from "./checking.ts";
import type { RealServerDraft, VirtualServerDraft } from "./drafts.ts";
import { readForwarding } from "./forwarding.ts";
import { MAX_U32, MAX_WEIGHT, toggle } from "./slots.ts";

const slots = slotsOf<RealServerDraft>();

/** Real servers of one virtual server. */
export const MAX_REAL_SERVERS = 1024;

function groupOf({ server }: RealServerDraft): string {
  return server.group ?? "(null)";
}

const keywords: Keywords<RealServerDraft> = {
  weight: slots.integer("weight", {
    min: 0,
    max: MAX_WEIGHT,
    default: "the virtual server's",
    doc: "Its part of the connections; 0: no new ones.",
    invalid: (word) => `Real server weight ${word} is outside range 0-${MAX_WEIGHT}`,
  }),
  lvs_method: keyword(
    {
      syntax: "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]",
      default: "the virtual server's",
      doc: "How packets reach it; without IPVS NAT and DR, the same for all of a virtual server.",
    },
    (draft, line, scope) => {
      const forwarding = readForwarding(line, scope, "real", draft.forwarding);
      if (forwarding !== undefined) draft.forwarding = forwarding;
    },
  ),
  uthreshold: slots.integer("upperThreshold", {
    min: 0,
    max: MAX_U32,
    default: "0",
    doc: "Connections at which it gets no more; 0: no bound. Needs IPVS.",
    invalid: (word) => `Invalid real_server uthreshold '${word}' - ignoring`,
  }),
  lthreshold: slots.integer("lowerThreshold", {
    min: 0,
    max: MAX_U32,
    default: "0",
    doc: "Connections below which it gets some again. Needs IPVS.",
    invalid: (word) => `Invalid real_server lthreshold '${word}' - ignoring`,
  }),
  inhibit_on_failure: toggle<RealServerDraft>("inhibit", {
    default: "the virtual server's",
    doc: "When it fails it stays, with weight 0.",
    invalid: (word) => `Invalid inhibit_on_failure parameter ${word}`,
  }),
  alpha: toggle<RealServerDraft>("alpha", {
    default: "the virtual server's",
    doc: "It is down until it has passed its checks.",
    invalid: (word) => `Invalid alpha parameter ${word}`,
  }),
  notify_up: command("notifyUp", {
    isDeferred: true,
    doc: "Run when it comes up.",
    already: (word, draft) => `(${groupOf(draft)}) notify_up script already specified - ignoring ${word}`,
  }),
  notify_down: command("notifyDown", {
    isDeferred: true,
    doc: "Run when it goes down.",
    already: (word, draft) => `(${groupOf(draft)}) notify_down script already specified - ignoring ${word}`,
  }),
};

/** The block `real_server`. */
export function realServerKeyword(context: CheckerContext): Keyword<VirtualServerDraft> {
  const table: Keywords<RealServerDraft> = {
    ...keywords,
    ...checkingKeywords("real"),
    ...checkerKeywords(context),
  };
  return keyword(
    { syntax: "ADDRESS [PORT] { … }", doc: "A server behind the virtual one." },
    (server, line, scope) => readRealServer(server, line, scope, table),
    table as Keywords<never>,
  );
}

function readRealServer(
  server: VirtualServerDraft,
  line: Line,
  scope: Interpreter,
  table: Keywords<RealServerDraft>,
): void {
  const word = scope.word(line, 1);
  if (word === undefined) return;
  const warn = (message: string): void => scope.report("warn", message, line.position);
  const address = readServerAddress(word, portText(line.words[2]), warn);
  if (address === undefined) {
    warn(`Invalid real server ip address/port ${word}/${line.words[2] ?? "(null)"} - skipping`);
    scope.skipBlock();
    return;
  }
  if (server.realServers.length >= MAX_REAL_SERVERS) {
    scope.report("error", `a virtual server has more than ${MAX_REAL_SERVERS} real servers`, line.position);
    scope.skipBlock();
    return;
  }
  const { forwarding } = server;
  const draft: RealServerDraft = { at: line.position, where: new Map(), address, server, checkers: [] };
  if (forwarding !== undefined) draft.forwarding = forwarding;
  const end = scope.block(table, draft);
  const family = address.ip.length === 4 ? 4 : 6;
  if (draft.forwarding?.method !== "TUN") {
    server.family ??= family;
    if (server.family !== family) {
      const subject = `real server ${printIp(address.ip)}`;
      const message = `Address family of virtual server and ${subject} don't match - skipping real server.`;
      scope.report("warn", message, end);
      return;
    }
  }
  server.realServers.push(draft);
}
