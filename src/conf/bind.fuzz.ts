import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { adapt } from "./adapt.ts";
import { bind } from "./bind.ts";
import { catalog } from "./catalog.ts";
import { MAX_DIAGNOSTICS } from "./diagnostics.ts";
import { parse } from "./nginx/parser.ts";
import { present, readParameters, valued } from "./parameters.ts";
import type { Scope } from "./scope.ts";
import { confModule, type Use } from "./slot.ts";
import { bits, block, blocks, choice, flag, list, msec, num, path, raw, size, template } from "./slots.ts";
import { parseTemplate } from "./template.ts";
import { milliseconds, number } from "./values.ts";

const doc = "A directive.";
const contexts = "main, http, server, location, if in location";
const module = confModule({
  name: "fuzz",
  contexts,
  directives: {
    http: block({ main: "http" }, { doc }),
    server: blocks({ http: "server" }, undefined, { doc }),
    location: blocks({ server: "location", location: "location" }, (use) => use.args[0], { doc, args: [1, 2] }),
    if: blocks({ location: "if in location" }, (use) => use.template(use.args[0]!), { doc, args: [1, 3] }),
    flag: flag(false, { doc }),
    num: num(1, { doc, min: 1, max: 10 }),
    size: size("1k", { doc }),
    msec: msec(undefined, { doc, inherit: "none" }),
    path: path("a", { doc, inherit: "conditions" }),
    choice: choice("a", ["a", "b"], { doc }),
    bits: bits(["a"], ["a", "b"], { doc }),
    text: template("", { doc }),
    many: list((use) => readParameters(use, { on: present, max: valued(number), t: valued(milliseconds) }), {
      doc,
      syntax: "...",
      args: [0, 9],
    }),
    set: list(defineVariable, { doc, syntax: "$name value", args: 2 }),
    map: raw(undefined, (use) => [...use.entries].map(({ args }) => args), { doc, syntax: "{}", args: 0, block: true }),
  },
});
const known = catalog([module]);

function defineVariable(use: Use): readonly string[] {
  use.define(use.args[0]!);
  return use.args;
}

const names = fc.constantFrom(...Object.keys(module.directives), "include", "unknown", "__proto__", "toString");
const words = fc.constantFrom(..."0 1 11 1k 1s on off a b max=1 t=1s t= = $x ${x} ${ $ /".split(" "), "''", '"\\n"');
const { text } = fc.letrec<{ text: string }>((tie) => ({
  text: fc
    .array(
      fc
        .tuple(names, fc.array(words, { maxLength: 3 }), fc.option(tie("text"), { maxDepth: 6, nil: undefined }))
        .map(([name, args, inner]) => `${[name, ...args].join(" ")}${inner === undefined ? ";" : ` {\n${inner}}`}\n`),
      { maxLength: 8, depthIdentifier: "nested" },
    )
    .map((lines) => lines.join("")),
}));

function everyScope(scope: Scope, visit: (scope: Scope) => void): void {
  visit(scope);
  for (const child of scope.children) everyScope(child, visit);
}

test("any configuration is bound or refused, and every scope has a frozen configuration with every value", () => {
  fc.assert(
    fc.property(text, fc.boolean(), (input, isVariable) => {
      const environment = { prefix: "/p/", confPrefix: "/c/", isVariable: () => isVariable };
      const bound = bind([parse(input, { file: "f" })], known, environment);
      assert.equal(bound.isUsable, !bound.diagnostics.some(({ severity }) => severity === "emerg"));
      assert.ok(bound.diagnostics.length <= MAX_DIAGNOSTICS);
      everyScope(bound.main, (scope) => {
        const conf = scope.conf(module);
        assert.ok(Object.isFrozen(conf));
        assert.deepEqual(Object.keys(conf).sort(), Object.keys(module.directives).sort());
        assert.ok(conf.num >= 1 && conf.num <= 10 && conf.path.startsWith("/"));
        if (scope.parent !== undefined && scope.own(module).flag === undefined)
          assert.equal(conf.flag, scope.parent.conf(module).flag);
      });
      JSON.stringify(adapt(bound.main, known));
    }),
    { numRuns: 400 },
  );
});

test("a template's parts are its text", () => {
  const pieces = fc.constantFrom(..."ab_1$${}-", "${a}", "$b", "$1");
  fc.assert(
    fc.property(
      fc.array(pieces).map((parts) => parts.join("")),
      (source) => {
        const parsed = parseTemplate(source);
        if (!parsed.ok) return;
        const printed = parsed.value.parts.map((part) => {
          if (typeof part === "string") return part;
          return part.kind === "capture" ? `$${part.index}` : `\${${part.name}}`;
        });
        const canonical = source.replace(
          /\$(?:\{([a-z0-9_]+)\}|([a-z0-9_]+))/g,
          (whole, braced?: string, bare?: string) =>
            braced === undefined && /^[1-9]/.test(bare ?? "") ? whole : `\${${braced ?? bare}}`,
        );
        assert.equal(printed.join(""), canonical);
      },
    ),
    { numRuns: 1000 },
  );
});
