/** The programs in one file each (scripts/bundle.mjs) do what the modules do that they are made of. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { V8_OPTIONS } from "../src/process/v8-options.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bundler = pathToFileURL(path.join(root, "scripts/bundle.mjs")).href;
const { programFiles } = (await import(bundler)) as {
  programFiles: (
    name: string,
    source: string,
    modules: { entry: string } & Options,
    folder: string,
  ) => { script: string; late: string | undefined; loader: string };
};

interface Options {
  readonly early?: readonly string[];
  readonly addons?: Readonly<Record<string, string>>;
}

describe("programs", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), "programs-"));
    mkdirSync(path.join(folder, "src/part"), { recursive: true });
    mkdirSync(path.join(folder, "programs"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function bundle(modules: Readonly<Record<string, string>>, options: Options = {}) {
    for (const [name, text] of Object.entries(modules)) writeFileSync(path.join(folder, "src", name), text);
    return programFiles(
      "main",
      path.join(folder, "src"),
      { entry: "main.js", ...options },
      path.join(folder, "programs"),
    );
  }

  test("every form of import works, a module runs once and when it is needed, and knows where it stood", () => {
    const modules = {
      "main.js": [
        'import path from "node:path";',
        'import { one, two as other } from "./part/a.js";',
        'import * as all from "./part/a.js";',
        'export const names = [path.basename("/x/y"), one(), other, Object.keys(all).sort().join()];',
        "export async function run() {",
        '    const { late } = await import("./part/late.js");',
        '    return [...names, late, (await import("./part/late.js")).late, "§ → \\u{1F600}"];',
        "}",
      ].join("\n"),
      "part/a.js": [
        'console.log("a runs");',
        "export function one() { return 1; }",
        "export const two = 2;",
        "export class Three {}",
        "export {};",
      ].join("\n"),
      "part/late.js":
        'import { two } from "./a.js";\nconsole.log("late runs");\nexport const late = new URL("x", import.meta.url).pathname + two;\n',
    };
    // Whether what is imported late lies in a script of its own or not.
    for (const early of [[], ["part/late.js"]]) {
      const { script, late, loader } = bundle(modules, { early });
      assert.match(`${script}${late}`, /^[\x00-\x7f]*$/);
      assert.equal(script.includes("late runs"), late === undefined);
      assert.equal(late === undefined, early.length > 0);
      const program = path.join(folder, "programs/main.cjs");
      writeFileSync(path.join(folder, "programs/main.script.js"), script);
      writeFileSync(path.join(folder, "programs/main.late.script.js"), late ?? "");
      writeFileSync(program, loader);
      const user = `const { run } = await import(${JSON.stringify(program)}); console.log("loaded"); console.log((await run()).join(" "));`;
      const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", user], { encoding: "utf8" });
      const place = `${path.join(folder, "src/part/x")}2`;
      assert.deepEqual(
        [stderr, stdout],
        ["", `a runs\nloaded\nlate runs\ny 1 2 Three,one,two ${place} ${place} § → \u{1F600}\n`],
      );
    }
  });

  test("indentation goes where it means nothing; a package whose addon has moved since the build finds it itself", () => {
    const text = "export const text = `a\n    b`;";
    const { script, loader } = bundle(
      {
        "main.js":
          'import os from "node:os";\nimport { text } from "./part/a.js";\nexport const run = () => {\n    return text + os.EOL;\n};',
        "part/a.js": text,
      },
      { addons: { "node:os": "moved.node" } },
    );
    assert.match(script, /\nreturn text \+ os\.EOL;/);
    const program = path.join(folder, "programs/main.cjs");
    writeFileSync(path.join(folder, "programs/main.script.js"), script);
    writeFileSync(program, loader);
    const user = `process.stdout.write(require(${JSON.stringify(program)}).run());`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", user], { encoding: "utf8" });
    assert.deepEqual([stderr, stdout], ["", "a\n    b\n"]);
  });

  test("what the bundler doesn't understand, and modules that import each other, fail the build", () => {
    const forms = [
      "export default 1;",
      'export * from "./part/a.js";',
      'import "./part/a.js";',
      "export { x } from 'y';",
    ];
    for (const form of forms) {
      assert.throws(
        () => bundle({ "main.js": form, "part/a.js": "" }),
        /main\.js imports or exports in an unknown way/,
        form,
      );
    }
    const circle = {
      "main.js": 'import { a } from "./part/a.js";\nexport const b = a;',
      "part/a.js": 'import { b } from "../main.js";\nexport const a = () => b;',
    };
    assert.throws(() => bundle(circle), /modules import each other: .*main\.js → .*a\.js → .*main\.js/);
  });

  test("V8 takes the cache of each program, with the options that the program is started with", () => {
    for (const [name, ...options] of [
      ["nginx"],
      ["nginx.late"],
      ["nginx-worker", ...V8_OPTIONS],
      ["tandem"],
      ["tandem.late"],
      ["vrrp"],
      ["checker"],
    ]) {
      const [script, cache] = ["script.js", "cache"].map((end) => path.join(root, `dist/programs/${name}.${end}`));
      const user = `const { readFileSync } = require("node:fs");
        const cachedData = readFileSync(process.argv[2]);
        console.log(new (require("node:vm").Script)(readFileSync(process.argv[1], "latin1"), { cachedData }).cachedDataRejected);`;
      const done = spawnSync(process.execPath, [...options, "-e", user, script ?? "", cache ?? ""], {
        encoding: "utf8",
      });
      assert.deepEqual([done.stdout, done.stderr], ["false\n", ""], name);
    }
  });

  test("tandem explains a directive as its modules do", () => {
    const script =
      'const { runTandem } = await import(process.argv[1]); process.exitCode = await runTandem(["explain", "proxy_pass"]);';
    const [program, modules] = ["dist/programs/tandem.cjs", "dist/src/cli/tandem.js"].map((file) => {
      const url = pathToFileURL(path.join(root, file)).href;
      const done = spawnSync(process.execPath, ["--input-type=module", "-e", script, url], { encoding: "utf8" });
      return [done.status, done.stdout, done.stderr];
    });
    assert.equal(modules?.[0], 0);
    assert.deepEqual(program, modules);
  });
});
