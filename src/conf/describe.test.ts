import assert from "node:assert/strict";
import { test } from "node:test";
import { adapt } from "./adapt.ts";
import { bind } from "./bind.ts";
import { catalog } from "./catalog.ts";
import { describeName, placesOf, similarNames } from "./describe.ts";
import { parse } from "./nginx/parser.ts";
import { confModule } from "./slot.ts";
import { block, blocks, fold, list, num, raw, size, template } from "./slots.ts";

const known = catalog([
  confModule({
    name: "test",
    contexts: "http, server, location",
    directives: {
      http: block({ main: "http" }, { doc: "Opens http." }),
      server: blocks({ http: "server" }, undefined, { doc: "A server." }),
      location: blocks({ server: "location" }, (use) => use.args[0], { doc: "A place.", syntax: "uri", args: 1 }),
      buffer: size("8k", { doc: "A buffer." }),
      note: list((use) => use.args, { doc: "A note.", syntax: "word ...", args: [1, 9] }),
      pass: template(undefined, { doc: "Where to.", in: "location", inherit: "conditions" }),
      types: raw(undefined, () => new Map([["a", 1]]), { doc: "Types.", syntax: "{ ... }", args: 0, block: true }),
      workers: num(1, { doc: "How many.", in: "main" }),
      seen: fold<ReadonlySet<string>, undefined>(undefined, (use, set) => new Set([...(set ?? []), ...use.args]), {
        doc: "A set.",
        syntax: "word",
      }),
    },
  }),
]);

function bound(text: string) {
  return bind([parse(text, { file: "/etc/n.conf" })], known, { prefix: "/", confPrefix: "/" }).main;
}

test("a description says what the documentation says", () => {
  assert.deepEqual(describeName("buffer", known), [
    {
      name: "buffer",
      module: "test",
      syntax: "buffer size;",
      standard: "buffer 8k;",
      contexts: ["http", "server", "location"],
      doc: "A buffer.",
      notes: [],
    },
  ]);
  const [location] = describeName("location", known);
  assert.deepEqual([location?.syntax, location?.standard, location?.notes], ["location uri { ... }", "—", []]);
  assert.equal(describeName("types", known)[0]?.syntax, "types { ... }");
  assert.deepEqual(describeName("note", known)[0]?.notes, ["May be used several times in one context."]);
  assert.deepEqual(describeName("http", known)[0]?.notes, ["Used once."]);
  assert.deepEqual(describeName("pass", known)[0]?.notes, ["Inherited only into `if` and `limit_except`."]);
  assert.deepEqual(describeName("nothing", known), []);
});

test("every place where a directive is set is found, with its scope and line", () => {
  const main = bound("http {\n buffer 1k;\n server {\n location /a {\n buffer 2k; note a 'b c'; note d;\n }\n }\n}");
  assert.deepEqual(placesOf("buffer", main, known), [
    { where: "http", text: "buffer 1k;", position: "/etc/n.conf:2" },
    { where: "http / server (n.conf:3) / location /a", text: "buffer 2k;", position: "/etc/n.conf:5" },
  ]);
  assert.deepEqual(
    placesOf("note", main, known).map(({ text }) => text),
    ["note a 'b c';", "note d;"],
  );
});

test("misspelt names find their neighbours", () => {
  const names = ["root", "proxy_pass", "proxy_cookie_path", "listen", "index"];
  assert.deepEqual(similarNames("rooot", names), ["root"]);
  assert.deepEqual(similarNames("proxy_pas", names), ["proxy_pass"]);
  assert.deepEqual(similarNames("cookie", names), ["proxy_cookie_path"]);
  assert.deepEqual(similarNames("zzzz", names), []);
});

test("a configuration as JSON shows what is set and what is inherited, scope by scope", () => {
  const main = bound("workers 2; http { buffer 1k; types {} seen x; server { location /a { pass $uri; seen y; } } }");
  assert.deepEqual(adapt(main, known), {
    scope: "main",
    set: { workers: 2 },
    scopes: [
      {
        scope: "http",
        set: { buffer: 1024, types: { a: 1 }, seen: ["x"] },
        scopes: [
          {
            scope: "server",
            inherited: { buffer: 1024, types: { a: 1 }, seen: ["x"] },
            scopes: [
              {
                scope: "location /a",
                set: { pass: "$uri", seen: ["y"] },
                inherited: { buffer: 1024, types: { a: 1 } },
              },
            ],
          },
        ],
      },
    ],
  });
});
