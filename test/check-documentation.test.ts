/** docs/check.md has a section for each rule, and what its examples of nginx.conf say is what the linter says. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { fromUtf8 } from "../src/base/bytes.ts";
import { anyHost, bindNginx } from "../src/check/bind-nginx.ts";
import { buildSubject } from "../src/check/build-subject.ts";
import type { Finding } from "../src/check/finding.ts";
import { RULES, runRules } from "../src/check/rules.ts";
import type { ConfigReader } from "../src/conf/nginx/load.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const text = readFileSync(path.join(root, "docs/check.md"), "utf8");

/** A section of the document with its blocks of configuration. */
interface Section {
  readonly title: string;
  readonly text: string;
  readonly blocks: readonly string[];
}

const sections: readonly Section[] = text
  .slice(text.indexOf("\n## Rules for nginx.conf"))
  .split(/^### /m)
  .slice(1)
  .map((section) => ({
    title: section.slice(0, section.indexOf("\n")),
    text: section.slice(section.indexOf("\n")),
    blocks: [...section.matchAll(/^```nginx\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block),
  }));

const FILES: Readonly<Record<string, string>> = {
  "mime.types":
    "types { text/html html; text/css css; text/plain txt; application/javascript js; application/json json; image/png png; image/svg+xml svg; image/jpeg jpg; image/gif gif; font/woff2 woff2; }",
  "site-a.conf": "server { listen 80; server_name a.example; return 204; }",
  "site-b.conf": "server { listen 80; server_name b.example; return 204; }",
};

/** The whole file that the lines of a block stand in. */
function complete(block: string): string {
  if (/^events\b/m.test(block)) return `${block}\nhttp { }\n`;
  if (/^http\b/m.test(block)) return `worker_processes auto;\nevents { }\n${block}`;
  return `worker_processes auto;\nevents { }\nhttp {\ninclude mime.types;\n${block}}\n`;
}

/** What is found in a block, all rules together, but for what only Tandem's present state says. */
function findings(block: string): readonly Finding[] {
  const files: Readonly<Record<string, string>> = { ...FILES, "nginx.conf": complete(block) };
  const reader: ConfigReader = {
    read: (file) => {
      const found = files[file.replace(/^\/srv\/conf\//, "")];
      return found === undefined ? { call: "open()", errno: 2, text: "No such file or directory" } : fromUtf8(found);
    },
    glob: () => [],
  };
  const request = {
    keepalived: undefined,
    nginx: "/srv/conf/nginx.conf",
    peerKeepalived: undefined,
    peerNginx: undefined,
    configId: "a",
  };
  const subject = buildSubject(request, {
    reader,
    facts: undefined,
    bindNginx: (source) => bindNginx(source, anyHost),
  });
  return runRules(subject).filter(({ rule, title }) => {
    // Directives that are yet to come, and "listen … ssl".
    if (rule === "nginx-directives") return !/^unknown directive|parameter of the "listen"/.test(title);
    return true;
  });
}

test("every rule has its section, and every section its rule", () => {
  assert.deepEqual(sections.map(({ title }) => title).sort(), RULES.map(({ id }) => id).sort());
});

test("every section says what the rule is about", () => {
  for (const { title, text: body } of sections) assert.match(body.trim(), /^[A-Z`k$].{20}/s, title);
});

describe("the examples of", () => {
  for (const { title, blocks } of sections) {
    if (blocks.length === 0) continue;
    test(title, () => {
      assert.equal(blocks.length, 2, "two blocks: what is found, and what it should be");
      const [bad = "", good = ""] = blocks;
      assert.ok(
        findings(bad).some(({ rule }) => rule === title),
        "the first block has what the rule finds",
      );
      const left = findings(good).filter(({ rule }) => rule === title || rule !== "nginx-proxy-defaults");
      assert.deepEqual(left, [], "nothing is found in the second block");
    });
  }
});

test("every rule about nginx.conf alone has examples", () => {
  const without = sections.filter(({ blocks }) => blocks.length === 0).map(({ title }) => title);
  assert.deepEqual(
    without.filter((title) => title.startsWith("nginx-")),
    ["nginx-unwatched", "nginx-listen"],
  );
});
