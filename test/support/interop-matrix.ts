/**
 * Everything that two routers of different make have to agree upon, row by row: what both are given, and what is to come of it.
 * test/interop/matrix.test.ts plays it, and writes docs/compatibility.md's table of it.
 */

/** Who plays Tandem's partner. */
export const PEERS = ["keepalived", "frr"] as const;
export type Peer = (typeof PEERS)[number];

/** What a router of a row is told, besides its priority and addresses. */
export interface RouterWords {
  readonly version: 2 | 3;
  readonly family: 4 | 6;
  /** Lines of `vrrp_instance` on both nodes. */
  readonly lines: readonly string[];
  /** Adverts go to the partner alone. */
  readonly isUnicast: boolean;
}

/** How the better router is to behave when it comes while the other one is active. */
export type Preemption = "at once" | "never" | "later";

export interface Row {
  readonly name: string;
  readonly words: RouterWords;
  /** Of the stronger and the weaker router. */
  readonly priorities: readonly [number, number];
  readonly preemption: Preemption;
  /** Lines of `vrrp_instance` on the stronger node alone. */
  readonly stronger: readonly string[];
  /** Lines on the node with keepalived alone. */
  readonly keepalived: readonly string[];
  /** Two routers in a sync group. */
  readonly isGroup: boolean;
  /** More lines of FRR's interface when it is the stronger one; or why it can't play the row, or only as the weaker one. */
  readonly frr: readonly string[] | { readonly not: string } | { readonly weakerOnly: string };
}

const V2: RouterWords = { version: 2, family: 4, lines: ["advert_int 1"], isUnicast: false };
const V3: RouterWords = { version: 3, family: 4, lines: ["version 3", "advert_int 0.2"], isUnicast: false };
const V6: RouterWords = { version: 3, family: 6, lines: ["version 3", "advert_int 0.2"], isUnicast: false };

function row(name: string, words: RouterWords, more: Partial<Row> = {}): Row {
  return {
    name,
    words,
    priorities: [110, 100],
    preemption: "at once",
    stronger: [],
    keepalived: [],
    isGroup: false,
    frr: [],
    ...more,
  };
}

function secret(type: "PASS" | "AH"): RouterWords {
  return { ...V2, lines: [...V2.lines, "authentication {", `auth_type ${type}`, "auth_pass 12345678", "}"] };
}

const NO_SECRET = { not: "it knows no authentication" };
const NO_UNICAST = { not: "it knows multicast only" };

export const ROWS: readonly Row[] = [
  row("version 2", V2),
  row("version 2, PASS", secret("PASS"), { frr: NO_SECRET }),
  row("version 2, AH", secret("AH"), { frr: NO_SECRET }),
  row("version 2, unicast", { ...V2, isUnicast: true }, { frr: NO_UNICAST }),
  row("version 3", V3),
  row("version 3, unicast", { ...V3, isUnicast: true }, { frr: NO_UNICAST }),
  row("version 3, IPv6", V6),
  row("version 3, IPv6, unicast", { ...V6, isUnicast: true }, { frr: NO_UNICAST }),
  row("virtual MAC on the other side, version 2", V2, {
    keepalived: ["use_vmac"],
    frr: { not: "it always has one: see version 2" },
  }),
  row("virtual MAC on the other side, version 3", V3, {
    keepalived: ["use_vmac"],
    frr: { not: "it always has one: see version 3" },
  }),
  row("virtual MAC on the other side, adverts from the real one", V3, {
    keepalived: ["use_vmac", "vmac_xmit_base"],
    frr: { not: "it has no such setting" },
  }),
  row("equal priorities: the higher address", V3, { priorities: [100, 100], preemption: "never" }),
  row("nopreempt", V3, { preemption: "never", stronger: ["nopreempt"], frr: ["no vrrp 33 preempt"] }),
  row("preempt_delay", V3, { preemption: "later", stronger: ["preempt_delay 5"], frr: { not: "it knows no delay" } }),
  row("priority 255, the owner", V3, { priorities: [255, 100], frr: { weakerOnly: "its own priority ends at 254" } }),
  row("sync group of two", V3, { isGroup: true, frr: { not: "it knows no groups" } }),
];

/** What came of a cell: the row with this peer as the weaker and as the stronger router. */
export type Cell = { readonly works: true } | { readonly not: string } | { readonly weakerOnly: string };

const BEGIN = "<!-- interop: written by TANDEM_WRITE_INTEROP=1 npm test -- interop/matrix -->";
const END = "<!-- /interop -->";

/** The table in a document, replaced. Throws when it has no place for one. */
export function withTable(document: string, table: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from < 0 || to < from) throw new Error("the document has no place for the table");
  return `${document.slice(0, from + BEGIN.length)}\n\n${table}\n${document.slice(to)}`;
}

/** The table that a document has. */
export function tableOf(document: string): string {
  return document.slice(document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)).trim();
}

/** Rows of the matrix, peers in the columns. */
export function printTable(versions: Readonly<Record<Peer, string>>, cellOf: (row: Row, peer: Peer) => Cell): string {
  const shown = (cell: Cell): string =>
    "works" in cell ? "✓" : "not" in cell ? `– ${cell.not}` : `✓ as the weaker one: ${cell.weakerOnly}`;
  return [
    `| routers | with keepalived ${versions.keepalived} | with FRR's vrrpd ${versions.frr} |`,
    "|---|---|---|",
    ...ROWS.map((one) => `| ${one.name} | ${PEERS.map((peer) => shown(cellOf(one, peer))).join(" | ")} |`),
    "",
  ].join("\n");
}
