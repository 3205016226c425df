import assert from "node:assert/strict";
import { test } from "node:test";
import { fromLatin1, fromUtf8 } from "../../base/bytes.ts";
import { bind } from "../bind.ts";
import { catalog } from "../catalog.ts";
import { printDiagnostic } from "../diagnostics.ts";
import { confModule } from "../slot.ts";
import { block, list, raw } from "../slots.ts";
import { type ConfigReader, load, MAX_INCLUDE_DEPTH, sourcesOf, withIncludes } from "./load.ts";
import { parse } from "./parser.ts";

function readerOf(files: Readonly<Record<string, string>>): ConfigReader {
  return {
    read: (path) =>
      files[path] === undefined
        ? { call: "open()", errno: 2, text: "No such file or directory" }
        : fromLatin1(files[path]),
    glob: (pattern) => {
      const match = new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`);
      return Object.keys(files)
        .filter((name) => match.test(name))
        .sort();
    },
  };
}

const module = confModule({
  name: "test",
  contexts: "main, http",
  directives: {
    http: block({ main: "http" }, { doc: "A block." }),
    say: list((use) => use.args[0], { doc: "A word.", syntax: "word" }),
    types: raw([] as string[], (use) => [...use.entries].map(({ name }) => name), {
      doc: "A raw block.",
      syntax: "{ ... }",
      args: 0,
      block: true,
    }),
  },
});

function run(files: Readonly<Record<string, string>>) {
  const source = load("/etc/n.conf", readerOf(files));
  const { main, diagnostics } = bind([source], catalog([module]), { prefix: "/", confPrefix: "/etc/" });
  return { source, main, said: main.conf(module).say, messages: diagnostics.map(printDiagnostic) };
}

test("included files stand where they were included, relative to the main file, globs in order", () => {
  const { said, messages, source } = run({
    "/etc/n.conf": "say 1; include a/*.conf; say 4; include /abs; include none/*.x;",
    "/etc/a/2.conf": "say 3;",
    "/etc/a/1.conf": "say 2; include b;",
    "/etc/b": "",
    "/abs": "say 5;",
  });
  assert.deepEqual(messages, []);
  assert.deepEqual(said, ["1", "2", "3", "4", "5"]);
  assert.deepEqual(
    sourcesOf(source).map(({ file }) => file),
    ["/etc/n.conf", "/etc/a/1.conf", "/etc/b", "/etc/a/2.conf", "/abs"],
  );
});

test("files are included in blocks and in raw blocks", () => {
  const { main, messages } = run({
    "/etc/n.conf": "http { include x; types { a b; include t; c d; } }",
    "/etc/x": "say 1;",
    "/etc/t": "e f;",
  });
  assert.deepEqual(messages, []);
  const http = main.conf(module).http!.scope.conf(module);
  assert.deepEqual([http.say, http.types], [["1"], ["a", "e", "c"]]);
});

test("errors name the included file, or the include that failed", () => {
  assert.deepEqual(
    run({
      "/etc/n.conf": "include a;\ninclude b;\nhttp { types {\n include c; } } bogus;",
      "/etc/a": "say 1;\nbad;",
      "/etc/b": "say\n}",
    }).messages,
    [
      '[emerg] unknown directive "bad" in /etc/a:2',
      '[emerg] unexpected "}" in /etc/b:2',
      '[emerg] open() "/etc/c" failed (2: No such file or directory) in /etc/n.conf:4',
      '[emerg] unknown directive "bogus" in /etc/n.conf:4',
    ],
  );
  assert.deepEqual(run({}).messages, ['[emerg] open() "/etc/n.conf" failed (2: No such file or directory)']);
});

test("a file that includes itself ends at a bound", () => {
  const { messages } = run({ "/etc/n.conf": "include n.conf;" });
  assert.deepEqual(messages, [
    `[emerg] more than ${MAX_INCLUDE_DEPTH} nested includes of "/etc/n.conf" in /etc/n.conf:1`,
  ]);
});

test("blocks within blocks are bounded over all files", () => {
  const { source } = run({ "/etc/n.conf": "a { include n.conf; }" });
  let depth = 0;
  for (let at = source.directives[0]; at !== undefined; depth++) {
    assert.equal(at.name, "a");
    at = at.block?.directives[0]?.sources?.[0]?.directives[0];
  }
  assert.ok(depth <= MAX_INCLUDE_DEPTH + 1);
  const deep = run({
    "/etc/n.conf": `${"http { ".repeat(100)} include b; ${"}".repeat(100)}`,
    "/etc/b": "a { ".repeat(29),
  });
  assert.ok(deep.source.directives.length === 1);
  assert.match(JSON.stringify(deep.source), /more than 128 nested blocks/);
});

test("-g may include too", () => {
  const given = parse("say 1; include g.conf;", { file: "command line", isCommandLine: true });
  const source = withIncludes(given, readerOf({ "/etc/g.conf": "say 2;" }), "/etc/");
  const { main, diagnostics } = bind([source], catalog([module]), { prefix: "/", confPrefix: "/etc/" });
  assert.deepEqual([diagnostics, main.conf(module).say], [[], ["1", "2"]]);
});

test("text is kept byte for byte", () => {
  const bytes = fromUtf8("say é;");
  const source = load("/n", { read: () => bytes, glob: () => [] });
  assert.deepEqual(fromLatin1(source.directives[0]!.args[0]!.text), fromUtf8("é"));
});
