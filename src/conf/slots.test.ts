import assert from "node:assert/strict";
import { test } from "node:test";
import { bind } from "./bind.ts";
import { catalog } from "./catalog.ts";
import { printDiagnostic } from "./diagnostics.ts";
import { parse } from "./nginx/parser.ts";
import { type ConfOf, confModule, type Directives } from "./slot.ts";
import * as slots from "./slots.ts";
import type { Template } from "./template.ts";
import { either, exactly, sizeBytes } from "./values.ts";

const doc = "A directive.";
const directives = {
  flag: slots.flag(true, { doc }),
  num: slots.num(3, { doc, min: 2, max: 9 }),
  some: slots.num(undefined, { doc, min: 2 }),
  size: slots.size("8k", { doc }),
  offset: slots.offset("1g", { doc }),
  msec: slots.msec("1m", { doc }),
  sec: slots.sec(undefined, { doc }),
  text: slots.text("a", { doc }),
  path: slots.path("a/b", { doc }),
  key: slots.path(undefined, { doc, base: "conf" }),
  choice: slots.choice("on", ["on", "off", "any"], { doc }),
  maybe: slots.choice(undefined, ["a", "b"], { doc }),
  bits: slots.bits(["x"], ["x", "y"], { doc }),
  buffers: slots.buffers("8 4k", { doc }),
  template: slots.template("t", { doc }),
  rate: slots.template("0", { doc, constant: sizeBytes }),
  few: slots.bits([], ["x", "y"], { doc, args: [1, 2] }),
  limit: slots.single(either(exactly("off", false), sizeBytes), "off", { doc }),
  raw: slots.raw(undefined, (use) => use.args.length, { doc, syntax: "...", args: [0, 2] }),
  list: slots.list((use) => use.args[0], { doc, syntax: "word" }),
  fold: slots.fold(0, (use, sum: number | undefined) => (sum ?? 0) + Number(use.args[0]), { doc, syntax: "number" }),
  keys: slots.list((use) => use.args[0], { doc, syntax: "word", merge: (outer, inner) => [...outer, ...inner] }),
  both: slots.bits(["x"], ["x", "y", "z"], { doc, merge: (outer, inner) => new Set([...outer, ...inner]) }),
  block: slots.blocks({ main: "http" }, (use) => use.order, { doc }),
};
const everything = confModule({ name: "test", contexts: "main, http", directives });

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

test("the configuration's type is inferred from the slots", () => {
  type Conf = ConfOf<typeof directives>;
  const proofs: readonly true[] = [
    true satisfies Same<Conf["flag"], boolean>,
    true satisfies Same<Conf["num"], number>,
    true satisfies Same<Conf["some"], number | undefined>,
    true satisfies Same<Conf["size"], number>,
    true satisfies Same<Conf["sec"], number | undefined>,
    true satisfies Same<Conf["path"], string>,
    true satisfies Same<Conf["key"], string | undefined>,
    true satisfies Same<Conf["choice"], "on" | "off" | "any">,
    true satisfies Same<Conf["maybe"], "a" | "b" | undefined>,
    true satisfies Same<Conf["bits"], ReadonlySet<"x" | "y">>,
    true satisfies Same<Conf["template"], Template>,
    true satisfies Same<Conf["limit"], number | false>,
    true satisfies Same<Conf["raw"], number | undefined>,
    true satisfies Same<Conf["list"], readonly string[]>,
    true satisfies Same<Conf["fold"], number>,
    true satisfies Same<Conf["block"], readonly slots.Opened<number>[]>,
  ];
  assert.ok(proofs.every(Boolean));
});

function bound(text: string) {
  const environment = { prefix: "/p/", confPrefix: "/c/" };
  const { main, diagnostics } = bind([parse(text, { file: "f" })], catalog([everything]), environment);
  return { main, conf: main.conf(everything), messages: diagnostics.map(printDiagnostic) };
}

test("defaults hold where nothing is set", () => {
  const { conf } = bound("");
  assert.deepEqual(
    [conf.flag, conf.num, conf.some, conf.size, conf.offset, conf.msec],
    [true, 3, undefined, 8192, 2 ** 30, 60000],
  );
  assert.deepEqual(
    [conf.path, conf.key, conf.choice, [...conf.bits], conf.limit],
    ["/p/a/b", undefined, "on", ["x"], false],
  );
  assert.deepEqual([conf.buffers, conf.list, conf.fold], [{ count: 8, sizeBytes: 4096 }, [], 0]);
});

test("values are read in their format", () => {
  const { conf, messages } = bound(
    "flag OFF; num 9; sec 1y; key k; path /x; choice ANY; bits y; bits X; buffers 2 1k; limit 1m; raw; list a; list b; fold 1; fold 2;",
  );
  assert.deepEqual(messages, []);
  assert.deepEqual([conf.flag, conf.num, conf.sec, conf.key, conf.path], [false, 9, 31_536_000, "/c/k", "/x"]);
  assert.deepEqual([conf.choice, [...conf.bits], conf.buffers.count, conf.limit], ["any", ["y", "x"], 2, 1048576]);
  assert.deepEqual([conf.raw, conf.list, conf.fold], [0, ["a", "b"], 3]);
});

test("malformed values are refused in nginx's words", () => {
  for (const [text, message] of [
    ["flag yes;", 'invalid value "yes" in "flag" directive, it must be "on" or "off"'],
    ["num a;", '"num" directive invalid number'],
    ["num 1;", "value must be between 2 and 9"],
    ["some 1;", "value must be equal to or greater than 2"],
    ["size 1g;", '"size" directive invalid value'],
    ["offset x;", '"offset" directive invalid value'],
    ["msec 1y;", '"msec" directive invalid value'],
    ["sec 1ms;", '"sec" directive invalid value'],
    ["choice x;", 'invalid value "x"'],
    ["bits y z;", 'invalid value "z"'],
    ["buffers 0 4k;", '"buffers" directive invalid value'],
    ["buffers 4;", 'invalid number of arguments in "buffers" directive'],
    ["raw 1 2 3;", 'invalid number of arguments in "raw" directive'],
    ["bits;", 'invalid number of arguments in "bits" directive'],
    ["limit on;", '"limit" directive invalid value'],
    ["template $;", "invalid variable name"],
    ["rate $a; rate 1k;", '"rate" directive is duplicate'],
    ["rate 1x;", '"rate" directive invalid value'],
    ["few x y x;", 'invalid number of arguments in "few" directive'],
    ["text a; text b;", '"text" directive is duplicate'],
  ] as const)
    assert.deepEqual(bound(text).messages, [`[emerg] ${message} in f:1`], text);
});

test("a refused value leaves the default and lets a correct one follow", () => {
  assert.equal(bound("num a; num 4;").conf.num, 4);
  assert.equal(bound("num a;").conf.num, 3);
});

test("a slot may merge the outer and the inner value, when both are set", () => {
  const { conf } = bound("keys a; list a; block { keys b; list b; } block { } ");
  const [both, none] = conf.block.map(({ scope }) => scope.conf(everything));
  assert.deepEqual([both?.keys, both?.list], [["a", "b"], ["b"]]);
  assert.deepEqual([none?.keys, none?.list], [["a"], ["a"]]);
  const mixed = (text: string) => [...bound(text).conf.block[0]!.scope.conf(everything).both];
  assert.deepEqual(mixed("both y; block { both z; }"), ["y", "z"]);
  assert.deepEqual(mixed("block { both z; }"), ["z"], "a default is nothing to merge with");
  assert.deepEqual(bound("block { keys b; }").conf.block[0]?.scope.conf(everything).keys, ["b"]);
});

test("uses are counted in the order of the file", () => {
  const [first, second] = bound("flag on; block { num 2; } block { }").conf.block;
  assert.ok(first!.order < second!.order);
  assert.equal(first!.header, first!.order);
});

test("a catalog refuses a directive that is declared twice for a context, or for an unknown one", () => {
  const other = (where: string): Directives => ({ flag: slots.flag(true, { doc, in: where }) });
  assert.throws(
    () => catalog([everything, confModule({ name: "b", directives: other("http") })]),
    /declared in test too/,
  );
  assert.throws(() => catalog([confModule({ name: "b", directives: other("htp") })]), /"htp" of "flag" is a context/);
  assert.throws(
    () => catalog([confModule({ name: "b", directives: { flag: slots.flag(true, { doc }) } })]),
    /has contexts/,
  );
  catalog([everything, confModule({ name: "b", directives: other("stream") })]);
});
