import assert from "node:assert/strict";
import { test } from "node:test";
import { anyHost, bindNginx } from "../check/bind-nginx.ts";
import { buildSubject } from "../check/build-subject.ts";
import { runRules } from "../check/rules.ts";
import { GOOD_NGINX, GOOD_SCRIPT, nodeText } from "../check/subject.cases.ts";
import { readerOf } from "../conf/keepalived/example.ts";
import type { NodeFiles } from "../process/node-files.ts";
import type { PartnerFiles } from "../process/peers-answer.ts";
import { checkPeers } from "./check-peers.ts";

const KEEPALIVED = "/etc/keepalived/keepalived.conf";
const NGINX = "/etc/nginx/nginx.conf";
const MIME = "/etc/nginx/mime.types";
const SEVERITIES = {
  strictly: <T>(finding: T): T => finding,
  exitStatus: (findings: readonly { readonly severity: string }[]) =>
    findings.some(({ severity }) => severity === "error") ? 2 : findings.length > 0 ? 1 : 0,
};
const STYLE = { columns: 100, hasColour: false };
const WITH_INCLUDE = GOOD_NGINX.replace("http {", `http {\n\tinclude ${MIME};`);

function filesOf(
  node: "a" | "b",
  change: Partial<NodeFiles> = {},
  texts: Readonly<Record<string, string>> = {},
): NodeFiles {
  return {
    node,
    hostName: node,
    version: "1.0.0",
    configId: node,
    keepalived: KEEPALIVED,
    nginx: NGINX,
    isNginxLeftOut: false,
    stale: [],
    texts: {
      [KEEPALIVED]: nodeText(node),
      [NGINX]: WITH_INCLUDE,
      [MIME]: "types {\n\ttext/html html;\n}\n",
      "/etc/keepalived/check.sh": GOOD_SCRIPT,
      ...texts,
    },
    globs: { [KEEPALIVED]: [KEEPALIVED] },
    hosts: {},
    ...change,
  };
}

function partnerOf(files: NodeFiles | null, change: Partial<PartnerFiles> = {}): PartnerFiles {
  return {
    name: "b",
    version: "1.0.0",
    address: "192.168.50.134",
    interface: "eth0",
    offsetMs: 0.4,
    roundTripMs: 0.2,
    files,
    why: "",
    ...change,
  };
}

const check = (partner: PartnerFiles, own = filesOf("a"), style: typeof STYLE | "json" = STYLE) =>
  checkPeers({ own, partners: [partner] }, undefined, SEVERITIES, style);

interface Document {
  readonly partners: readonly {
    readonly why: string | null;
    readonly clock: object | null;
    readonly check: {
      readonly findings: readonly {
        rule: string;
        title: string;
        places: { file: string; line: number; text?: string }[];
      }[];
    };
  }[];
}

const findingsOf = (partner: PartnerFiles, own = filesOf("a")) =>
  (JSON.parse(check(partner, own, "json").out) as Document).partners[0]?.check.findings ?? [];

/** A pair that differs in many ways. */
const bad = filesOf(
  "b",
  {},
  {
    [KEEPALIVED]: nodeText("b")
      .replace("virtual_router_id 33", "virtual_router_id 34")
      .replace("192.168.50.130/24", "192.168.50.131/24"),
    [NGINX]: WITH_INCLUDE.replace("listen 88;", "listen 89;").replace("localhost", "other.example"),
    "/etc/keepalived/check.sh": "#!/bin/sh\nexit 1\n",
  },
);

test("running nodes get the findings that their files would get with --peer", () => {
  const own = filesOf("a");
  const texts: Record<string, string> = {};
  for (const [node, files] of [
    ["a", own],
    ["b", bad],
  ] as const)
    for (const [file, text] of Object.entries(files.texts))
      texts[`/${node}${file}`] = text.replaceAll("/etc/", `/${node}/etc/`);
  const subject = buildSubject(
    {
      keepalived: `/a${KEEPALIVED}`,
      nginx: `/a${NGINX}`,
      peerKeepalived: `/b${KEEPALIVED}`,
      peerNginx: `/b${NGINX}`,
      configId: "a",
    },
    { reader: readerOf(texts), facts: undefined, bindNginx: (source) => bindNginx(source, anyHost) },
  );
  const plain = (text: string): string => text.replace(/\/[ab](?=\/etc\/)/g, "").replace(/\b[ab]:(?=\/)/g, "");
  const shown = (
    findings: readonly { rule: string; title: string; places: readonly { file: string; line: number }[] }[],
  ) =>
    findings.map(({ rule, title, places }) => [
      rule,
      plain(title),
      places.map(({ file, line }) => `${plain(file)}:${line}`),
    ]);
  const live = findingsOf(partnerOf(bad));
  assert.deepEqual(shown(live), shown(runRules(subject)));
  const rules = new Set(live.map(({ rule }) => rule));
  for (const rule of [
    "router-id-differs",
    "addresses-differ",
    "script-always-fails",
    "listens-differ",
    "server-names-differ",
  ])
    assert.ok(rules.has(rule), `${rule} of ${[...rules]}`);
});

test("both nodes' files have the same names; lines and texts are those of the right one", () => {
  const places = findingsOf(partnerOf(bad)).find(({ rule }) => rule === "router-id-differs")?.places;
  assert.deepEqual(
    places?.map(({ file, line, text }) => [file, line, text?.trim()]),
    [
      [KEEPALIVED, 14, "virtual_router_id 33"],
      [`b:${KEEPALIVED}`, 14, "virtual_router_id 34"],
    ],
  );
  assert.match(check(partnerOf(bad)).out, /^ {4}b:\/etc\/keepalived\/keepalived\.conf:14 {2}virtual_router_id 34$/m);
});

test("a good pair is good, included files are those of each node, and its clock is told", () => {
  const { out, error, status } = check(partnerOf(filesOf("b")));
  assert.equal(error, "");
  assert.match(
    out,
    /^Running partner b, 192\.168\.50\.134 on eth0, Tandem 1\.0\.0; its clock is 0\.4 ms ahead \(± 0\.1 ms\)$/m,
  );
  assert.match(out, /This pair fails over when a node dies and when nginx dies\./);
  assert.ok(status < 2, out);
  const missing = filesOf("b");
  const { [MIME]: _, ...texts } = missing.texts;
  assert.ok(findingsOf(partnerOf({ ...missing, texts })).every(({ rule }) => rule !== "server-names-differ"));
});

test("what only running nodes know is found: clock, version, files that were not reloaded", () => {
  const other = filesOf("b", { version: "0.9.0", stale: [NGINX] });
  const rules = findingsOf(partnerOf(other, { offsetMs: -3000 })).map(({ rule }) => rule);
  for (const rule of ["clock-skew", "tandem-version-differs", "configuration-stale"])
    assert.ok(rules.includes(rule), rule);
});

test("nobody on the channel, and a partner that sends nothing, are said, and end with 3", () => {
  const nobody = checkPeers({ own: filesOf("a"), partners: [] }, undefined, SEVERITIES, STYLE);
  assert.deepEqual([nobody.status, nobody.out], [3, ""]);
  assert.match(nobody.error, /^tandem check: a hears no partner on the peer channel: /);
  const why = "it has not sent its configuration";
  const silent = check(partnerOf(null, { version: "0.9.0", why }));
  assert.deepEqual([silent.status, silent.out], [3, ""]);
  assert.equal(silent.error, `tandem check: b can't be compared: ${why} (it runs Tandem 0.9.0, this node 1.0.0)\n`);
  const document = JSON.parse(check(partnerOf(null, { why }), filesOf("a"), "json").out) as Document;
  assert.deepEqual([document.partners[0]?.why, document.partners[0]?.check], [why, null]);
});

test("a partner without web server, or whose nginx.conf was left out, is compared without", () => {
  const other = filesOf("b", { nginx: null, isNginxLeftOut: true });
  assert.match(check(partnerOf(other)).out, /its nginx\.conf is too long to be sent and is not compared/);
  assert.ok(
    findingsOf(partnerOf(other)).every(({ rule }) => !["listens-differ", "server-names-differ"].includes(rule)),
  );
});

test("two nodes of one name are told apart", () => {
  const other = { ...filesOf("b"), node: "a" };
  const places = findingsOf(
    partnerOf({ ...other, texts: { ...other.texts, [KEEPALIVED]: bad.texts[KEEPALIVED] ?? "" } }),
  ).flatMap((finding) => finding.places.map(({ file }) => file));
  assert.ok(places.includes(`partner:${KEEPALIVED}`));
});
