import assert from "node:assert/strict";
import { test } from "node:test";
import { bind } from "../conf/bind.ts";
import { catalog } from "../conf/catalog.ts";
import type { Piece } from "../conf/keepalived/lines.ts";
import { parse } from "../conf/nginx/parser.ts";
import { confModule } from "../conf/slot.ts";
import { block, list, size } from "../conf/slots.ts";
import { explain, type Known, type LoadedFiles, unknownName } from "./explain.ts";
import { renderReference } from "./reference.ts";

const known: Known = {
  catalog: catalog([
    confModule({
      name: "test",
      contexts: "main, http",
      directives: {
        http: block({ main: "http" }, { doc: "Opens http." }),
        buffer: size("8k", { doc: "A buffer." }),
        note: list((use) => use.template(use.args[0]!), { doc: "A note.", syntax: "text" }),
      },
    }),
  ]),
  keywords: [
    {
      name: "advert_int",
      blocks: ["vrrp_instance"],
      documented: { syntax: "SECONDS", default: "1", doc: "An interval.", isImplemented: true },
    },
    { name: "virtual_server", blocks: [], documented: { syntax: "…", doc: "A service.", isImplemented: false } },
  ],
  variables: [
    { name: "uri", isFamily: false, canBeSet: false, module: "test", doc: "A path." },
    { name: "arg_", isFamily: true, canBeSet: false, module: "test", doc: "An argument." },
  ],
};

function loaded(text: string): LoadedFiles {
  const source = parse(text, { file: "/n.conf" });
  return { nginx: { source, main: bind([source], known.catalog, { prefix: "/", confPrefix: "/" }).main } };
}

test("a directive is explained from its declaration, with the places where it is set", () => {
  const file = loaded("buffer 1k;\nhttp {\n  buffer 2k;\n}");
  assert.equal(
    explain("buffer", known, file),
    [
      "buffer size;",
      "",
      "  A buffer.",
      "",
      "  default  buffer 8k;",
      "  context  main, http",
      "  file     nginx.conf",
      "  module   test",
      "",
      "Set in this configuration:",
      "  /n.conf:1  main: buffer 1k;",
      "  /n.conf:3  http: buffer 2k;",
      "",
    ].join("\n"),
  );
  assert.match(explain("note", known, file)!, /Not set in this configuration/);
  assert.equal(explain("nothing", known, file), undefined);
});

test("a keyword of keepalived.conf is explained, and that it is refused", () => {
  assert.match(
    explain("advert_int", known)!,
    /^advert_int SECONDS\n\n {2}An interval\.\n\n {2}default {2}1\n {2}context {2}vrrp_instance\n/,
  );
  assert.match(explain("virtual_server", known)!, /Not implemented: Tandem refuses it\.\n/);
});

test("the lines of a keepalived.conf that use a keyword are found in their blocks", () => {
  const at = (line: number) => ({ file: "/k.conf", line, column: 1 });
  const keepalived: readonly Piece[] = [
    { kind: "text", text: "vrrp_instance A", position: at(1) },
    { kind: "open", position: at(1) },
    { kind: "text", text: "advert_int 2", position: at(2) },
    { kind: "text", text: "authentication", position: at(3) },
    { kind: "open", position: at(3) },
    { kind: "close", position: at(4) },
    { kind: "close", position: at(5) },
    { kind: "text", text: "advert_int 3", position: at(6) },
    { kind: "text", text: "advert_interval 4", position: at(7) },
  ];
  const text = explain("advert_int", known, { keepalived })!;
  assert.match(
    text,
    /Used in this configuration:\n {2}\/k.conf:2 {2}vrrp_instance A: advert_int 2\n {2}\/k.conf:6 {2}outside of blocks: advert_int 3\n$/,
  );
});

test("a variable is known, or defined and mentioned by the configuration", () => {
  const file = loaded("note $uri;\nhttp {\n note a${mine}b;\n note $mineral; note '$MINE';\n}");
  assert.equal(explain("$uri", known), "$uri\n\n  A path.\n\n  file    nginx.conf\n  module  test\n");
  assert.match(explain("$ARG_name", known)!, /^\$arg_NAME\n/);
  assert.match(
    explain("$uri", known, file)!,
    /Mentioned in this configuration:\n {2}\/n\.conf:1 {2}main: note \$uri;\n$/,
  );
  const mine = explain("$mine", known, file)!;
  assert.match(mine, /only this configuration defines/);
  assert.deepEqual(mine.match(/n\.conf:\d/g), ["n.conf:3", "n.conf:4"]);
  assert.match(mine, /http: note '\$MINE';/);
  assert.equal(explain("$mine", known), undefined);
});

test("an unknown name gets its neighbours", () => {
  assert.equal(unknownName("bufer", known), 'unknown directive "bufer"; did you mean buffer?');
  assert.equal(unknownName("advertint", known), 'unknown directive "advertint"; did you mean advert_int?');
  assert.equal(unknownName("zzz", known), 'unknown directive "zzz"');
  assert.equal(
    unknownName("gzip_types", known),
    '"gzip_types" is a directive of nginx (http_gzip_filter) that Tandem does not implement yet; it is refused',
  );
});

test("there is a reference page for each module, one for keepalived.conf, and an index", () => {
  const pages = renderReference(known.catalog, known.keywords, known.variables);
  assert.deepEqual(
    [...pages.keys()],
    ["nginx-test.md", "keepalived.md", "nginx-variables.md", "nginx-not-implemented.md", "README.md"],
  );
  assert.match(
    pages.get("nginx-test.md")!,
    /## buffer\n\nA buffer\.\n\n\* syntax: `buffer size;`\n\* default: `buffer 8k;`\n\* context: main, http\n/,
  );
  assert.match(
    pages.get("keepalived.md")!,
    /## vrrp_instance\n\n\* `advert_int SECONDS`: An interval\. Default: 1\.\n/,
  );
  assert.match(pages.get("keepalived.md")!, /Refused, because not implemented: `virtual_server`/);
  assert.match(pages.get("nginx-variables.md")!, /## test\n\n\* `\$arg_NAME`: An argument\.\n\* `\$uri`: A path\.\n/);
  assert.match(pages.get("nginx-not-implemented.md")!, /\* http_proxy: .*`proxy_pass`/);
  assert.match(pages.get("README.md")!, /\[buffer\]\(nginx-test\.md#buffer\)/);
});
