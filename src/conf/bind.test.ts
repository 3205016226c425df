import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bound, bind } from "./bind.ts";
import { catalog } from "./catalog.ts";
import { printDiagnostic } from "./diagnostics.ts";
import { parse } from "./nginx/parser.ts";
import { present, readParameters, valued } from "./parameters.ts";
import { confModule, type Use } from "./slot.ts";
import {
  bits,
  block,
  blocks,
  choice,
  flag,
  fold,
  list,
  msec,
  num,
  path,
  raw,
  single,
  size,
  template,
  text,
} from "./slots.ts";
import { constantOf } from "./template.ts";
import { number, word } from "./values.ts";

function nested(use: Use): string | undefined {
  const outer = use.scope.context === "location" ? use.scope.directive?.args[0]?.text : "";
  return use.args[0] === outer ? use.fail(`"${outer}" inside itself`) : use.args.join(" ");
}

const core = confModule({
  name: "core",
  contexts: "main",
  directives: {
    http: block({ main: "http" }, { doc: "Opens the HTTP half." }),
    events: block({ main: "events" }, { doc: "Opens the events." }),
    pid: path("logs/nginx.pid", { doc: "The pid file." }),
    worker_connections: num(512, { doc: "Connections of a worker.", in: "events", min: 1 }),
  },
  check(conf, { scope }, report) {
    if (scope.context === "main" && conf.events === undefined) report("emerg", 'no "events" section in configuration');
  },
});
const web = confModule({
  name: "web",
  contexts: "http, server, location, if in location",
  directives: {
    server: blocks({ http: "server" }, undefined, { doc: "A virtual server." }),
    location: blocks({ server: "location", location: "location" }, nested, {
      doc: "A place.",
      args: [1, 2],
    }),
    if: blocks({ server: "if in server", location: "if in location" }, (use) => use.args[0], {
      doc: "A condition.",
      args: [1, Number.POSITIVE_INFINITY],
    }),
    listen: list((use) => readParameters(use, { reuseport: present, backlog: valued(number) }, { from: 1 }), {
      doc: "An address.",
      in: "server",
      syntax: "address",
      args: [1, Number.POSITIVE_INFINITY],
    }),
    sendfile: flag(false, { doc: "Sends files." }),
    status: num(503, { min: 400, max: 599, doc: "An answer." }),
    buffer: size("8k", { doc: "A buffer." }),
    wait: msec("60s", { doc: "A time." }),
    root: text("html", { doc: "A folder." }),
    tokens: choice("on", ["on", "off", "build"], { doc: "Words." }),
    next: bits(["error"], ["error", "timeout", "off"], { doc: "Bits." }),
    type: template("text/plain", { doc: "A type." }),
    add_header: list((use) => use.args[0], { doc: "A header.", syntax: "name value", args: 2 }),
    types: fold<ReadonlyMap<string, string>, undefined>(
      undefined,
      (use, current) => {
        const map = new Map(current);
        for (const entry of use.entries) for (const suffix of entry.args) map.set(suffix, entry.name);
        return map;
      },
      { doc: "Types.", syntax: "{ ... }", args: 0, block: true },
    ),
    alias: single(word, undefined, {
      doc: "Another folder.",
      in: "location",
      validate: (value, use) => (use.isSet("root") ? use.invalid('is duplicate, "root" was specified earlier') : value),
    }),
    set: list(
      (use) => {
        use.define(use.args[0]!.slice(1));
        return use.template(use.args[1]!);
      },
      { doc: "A variable.", syntax: "$name value", args: 2, inherit: "none" },
    ),
    pass: text(undefined, { doc: "Where to.", in: "location, if in location", inherit: "conditions" }),
    internal: raw(false, () => true, { doc: "Internal.", syntax: "", args: 0 }),
  },
  check(conf, { own, scope }, report) {
    if (own.buffer !== undefined && conf.buffer < 16)
      report("emerg", "too small", scope.origin(web, "buffer")?.positions[0]);
  },
});
const both = catalog([core, web]);
const environment = {
  prefix: "/p/",
  confPrefix: "/p/conf/",
  isVariable: (name: string) => name === "uri",
  isConstant: (name: string) => name === "uri",
};

function bound(input: string): Bound {
  return bind([parse(input, { file: "t" })], both, environment);
}

function messages(input: string): string[] {
  return bound(`events {}\n${input}`).diagnostics.map(printDiagnostic);
}

test("values are typed, inherited, overridden and defaulted", () => {
  const { main, diagnostics } = bound(`
    events {}
    http {
      sendfile on; buffer 1m; add_header a b; add_header c d; root /www;
      types { text/html html htm; }
      server {
        location /a { buffer 16k; add_header e f; pass x; if ($uri) { wait 5; } location /a/b { } }
        location = /b { next timeout off; }
      }
    }`);
  assert.deepEqual(diagnostics, []);
  const http = main.conf(core).http!.scope;
  const server = http.conf(web).server[0]!.scope;
  const [a, b] = server.conf(web).location;
  assert.equal(a!.header, "/a");
  assert.equal(b!.header, "= /b");
  const inA = a!.scope.conf(web);
  const inB = b!.scope.conf(web);
  assert.equal(inA.sendfile, true);
  assert.equal(inA.buffer, 16384);
  assert.equal(inB.buffer, 1048576);
  assert.deepEqual([inA.add_header, inB.add_header], [["e"], ["a", "c"]]);
  assert.deepEqual([...inB.next], ["timeout", "off"]);
  assert.equal(constantOf(inA.type), "text/plain");
  assert.equal(inA.types?.get("htm"), "text/html");
  assert.equal(main.conf(core).pid, "/p/logs/nginx.pid");
  assert.ok(Object.isFrozen(inA));

  const inIf = inA.if[0]!.scope.conf(web);
  const nested = inA.location[0]!.scope.conf(web);
  assert.deepEqual([inIf.wait, inIf.pass, nested.pass, nested.wait], [5000, "x", undefined, 60000]);
  const origin = a!.scope.origin(web, "root");
  assert.equal(origin?.scope, http);
  assert.equal(origin?.positions[0]?.line, 4);
  assert.equal(a!.scope.origin(web, "wait"), undefined);
});

test("scopes with equal values share one configuration", () => {
  const { main } = bound(`events {} http { sendfile on; server {
    location /a { pass x; location /1 { } location /2 { } }
    location /b { if ($uri) { } location /1 { sendfile on; } }
    location /c { } location /d { }
  } }`);
  const server = main.conf(core).http!.scope.conf(web).server[0]!.scope;
  const [a, b, c, d] = server.children;
  assert.equal(server.conf(core), a!.conf(core));
  assert.notEqual(a!.conf(web), server.conf(web));
  assert.equal(a!.children[0]!.conf(web), a!.children[1]!.conf(web));
  assert.notEqual(a!.children[0]!.conf(web), a!.conf(web), "pass goes no further");
  assert.equal(c!.conf(web), d!.conf(web), "the locations of the server are not theirs");
  assert.notEqual(b!.children[0]!.conf(web), b!.conf(web), "the conditions of the location are not its own");
});

test("errors have nginx's words and are all collected", () => {
  assert.deepEqual(messages("http {\n bogus 1;\n sendfile maybe;\n status 1;\n status x;\n server { http; } }"), [
    '[emerg] unknown directive "bogus" in t:3',
    '[emerg] invalid value "maybe" in "sendfile" directive, it must be "on" or "off" in t:4',
    "[emerg] value must be between 400 and 599 in t:5",
    '[emerg] "status" directive invalid number in t:6',
    '[emerg] "http" directive is not allowed here in t:7',
  ]);
  for (const [inside, message] of [
    ["sendfile on; sendfile on;", '"sendfile" directive is duplicate'],
    ["sendfile on off;", 'invalid number of arguments in "sendfile" directive'],
    ["sendfile on { }", 'directive "sendfile" is not terminated by ";"'],
    ["server;", 'directive "server" has no opening "{"'],
    ["buffer 1x;", '"buffer" directive invalid value'],
    ["tokens maybe;", 'invalid value "maybe"'],
    ["next error error x;", 'duplicate value "error"'],
    ["server { listen 80 backlog=x; }", 'invalid parameter "backlog=x"'],
    ["server { listen 80 reuseport=1; }", 'invalid parameter "reuseport=1"'],
    ["server { listen 80 constructor; }", 'invalid parameter "constructor"'],
    ["type a$;", "invalid variable name"],
    ["type ${a;", 'the closing bracket in "a" variable is missing'],
    ["types { a { } }", 'unexpected "{"'],
    ["types { include; }", 'invalid number of arguments in "include" directive'],
    ["include;", 'invalid number of arguments in "include" directive'],
    ["include x {}", 'directive "include" is not terminated by ";"'],
    ["buffer 4;", "too small"],
    ["constructor 1;", 'unknown directive "constructor"'],
  ] as const)
    assert.match(messages(`http { ${inside} }`)[0] ?? "", new RegExp(message.replace(/[${}()]/g, "\\$&")), inside);
});

test("variables must exist, in nginx or in the configuration itself", () => {
  assert.deepEqual(messages("http {\n type $uri$mine$other;\n type $x;\n server { set $Mine 1; } }"), [
    '[emerg] "type" directive is duplicate in t:4',
  ]);
  assert.deepEqual(messages("http {\n type $uri$mine$other;\n server { set $Mine 1; } }"), [
    '[emerg] unknown "other" variable in t:3',
  ]);
});

test("a variable that is nginx's own cannot be defined", () => {
  assert.deepEqual(messages("http {\n set $Uri 1; }"), ['[emerg] the duplicate "Uri" variable in t:3']);
});

test("a block is checked when it is sound, and before what follows it", () => {
  assert.deepEqual(messages("http { buffer 4; }\nbogus;"), [
    "[emerg] too small in t:2",
    '[emerg] unknown directive "bogus" in t:3',
  ]);
  assert.deepEqual(messages("http { buffer 4; bogus; }"), ['[emerg] unknown directive "bogus" in t:2']);
  assert.deepEqual(bound("pid x;").diagnostics.map(printDiagnostic), ['[emerg] no "events" section in configuration']);
});

test("a refused block is searched for errors, and is no part of the result", () => {
  const { main, diagnostics } = bound("events {} http { } http { bogus; }");
  assert.deepEqual(diagnostics.map(printDiagnostic), [
    '[emerg] "http" directive is duplicate in t:1',
    '[emerg] unknown directive "bogus" in t:1',
  ]);
  assert.equal(main.children.length, 2);
});

test("a slot may look at its module's values in the same scope", () => {
  assert.deepEqual(messages("http { server { location / { root a; alias b; } location /b { alias b; } } }"), [
    '[emerg] "alias" directive is duplicate, "root" was specified earlier in t:2',
  ]);
});

test("a parser sees the scope that its directive stands in", () => {
  assert.deepEqual(messages("http { server { location /a {\n location /b { }\n location /a { bogus; } } } }"), [
    '[emerg] "/a" inside itself in t:4',
    '[emerg] unknown directive "bogus" in t:4',
  ]);
});

test("variables are looked for only when the checks found nothing", () => {
  assert.deepEqual(messages("http { buffer 4; type $nothing; }"), ["[emerg] too small in t:2"]);
});

test("a parser that refuses without a reason is a defect", () => {
  const mute = confModule({
    name: "m",
    contexts: "main",
    directives: { mute: raw(0, () => undefined, { doc: "", syntax: "" }) },
  });
  const run = () => bind([parse("mute 1;", { file: "t" })], catalog([mute]), environment);
  assert.throws(run, /"mute" says why it refuses a value/);
});

test("what precedes a syntax error is bound, and the syntax error comes last", () => {
  assert.deepEqual(messages("http {\n bogus;\n server {\n ;"), [
    '[emerg] unknown directive "bogus" in t:3',
    '[emerg] unexpected ";" in t:5',
  ]);
});

test("a block that a syntax error cuts off is not checked", () => {
  assert.deepEqual(messages("http { buffer 4; type $nothing;\n ;"), ['[emerg] unexpected ";" in t:3']);
  assert.deepEqual(messages("http { buffer 4; }\n;"), ["[emerg] too small in t:2", '[emerg] unexpected ";" in t:3']);
  assert.deepEqual(messages("http { }\nbogus {"), [
    '[emerg] unknown directive "bogus" in t:3',
    '[emerg] unexpected end of file, expecting "}" in t:3',
  ]);
});
