// Puts a program into one script, dist/programs/*.script.js: node needs half a millisecond for every module that it loads, and a worker has
// 200 of them. What tsc has made stays as it is; each module becomes a function that runs when its first
// importer does. Beside it lie a module that loads it, and what V8 has compiled of it (*.cache), which node uses if it is the same node.
// Plain JavaScript, as setup.mjs is. Understands what tsc makes of our sources, and fails at anything else.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Entry modules below dist/src, by the program's name, and the options of node that it is started with: V8's cache is bound to them. */
const PROGRAMS = {
  nginx: { entry: "cli/nginx.js", options: [] },
  "nginx-worker": { entry: "process/nginx-worker.js", options: ["--max-semi-space-size=1"] },
  tandem: { entry: "cli/tandem.js", options: [] },
  keepalived: { entry: "cli/keepalived.js", options: [] },
  vrrp: { entry: "process/vrrp-main.js", options: [] },
  checker: { entry: "process/checker-main.js", options: [] },
};

const STATIC_IMPORT = /^import (\* as \w+|\w+|\{[^}]*\}) from "([^"]+)";$/gm;
const DYNAMIC_IMPORT = /\bimport\("([^"]+)"\)/g;
const EXPORT = /^export ((?:async )?function\*? |const |let |class )(\w+)/gm;
const NOTHING = /^export \{\};$|^\/\/# sourceMappingURL=.*$/gm;
/** Forms of import and export that are left when those above are gone. */
const UNKNOWN = /^(import|export)\b|\bimport\(/m;

class Bundle {
  #source;
  #numbers = new Map();
  #parts = [];
  #underWay = new Set();

  /** `source` is the folder of the compiled sources. */
  constructor(source) {
    this.#source = source;
  }

  /** The number of a module's function. */
  #add(file) {
    if (this.#underWay.has(file))
      throw new Error(`modules import each other: ${[...this.#underWay, file].join(" → ")}`);
    const known = this.#numbers.get(file);
    if (known !== undefined) return known;
    const number = this.#numbers.size;
    this.#numbers.set(file, number);
    this.#underWay.add(file);
    this.#parts[number] = this.#convert(file, number);
    this.#underWay.delete(file);
    return number;
  }

  #convert(file, number) {
    const exported = [];
    const body = readFileSync(file, "utf8")
      .replace(STATIC_IMPORT, (_, names, from) => `const ${bindings(names)} = ${this.#reference(file, from)};`)
      .replace(EXPORT, (_, kind, name) => {
        exported.push(name);
        return kind + name;
      })
      .replace(NOTHING, "");
    const name = path.relative(this.#source, file);
    if (UNKNOWN.test(body.replace(DYNAMIC_IMPORT, ""))) throw new Error(`${name} imports or exports in an unknown way`);
    // Their modules may import this one.
    const later = () => body.replace(DYNAMIC_IMPORT, (_, from) => `Promise.resolve(${this.#reference(file, from)})`);
    return { name, number, exported, later, body: undefined };
  }

  #reference(file, from) {
    return from.startsWith(".")
      ? `$${this.#add(path.resolve(path.dirname(file), from))}()`
      : `$require(${JSON.stringify(from)})`;
  }

  /** The script and its loader. */
  files(name, entry, folder) {
    const first = this.#add(path.join(this.#source, entry));
    for (let number = 0; number < this.#parts.length; number++) this.#parts[number].body = this.#parts[number].later();
    const parts = this.#parts.map(({ name, number, exported, body }) => {
      const url = path.posix.join(path.posix.relative(folder, this.#source), name);
      const text = body
        .replaceAll("import.meta.url", `new URL(${JSON.stringify(url)}, $url).href`)
        // A text of ASCII alone takes half the memory. These stand in comments, strings and patterns.
        .replace(/[\u0080-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return `// ${name}\nconst $${number} = $once(() => {\n${text}\nreturn { ${exported.join(", ")} };\n});\n`;
    });
    const others = parts.map((_, number) => `$${number}`).filter((_, number) => number !== first);
    const script = [
      "(($require, $url) => {",
      '"use strict";',
      "const $once = (run) => { let value; return () => (value ??= run()); };",
      ...parts,
      `return { run: $${first}, others: [${others.join(", ")}] };`,
      "})",
      "",
    ].join("\n");
    return { script, loader: loaderText(name, this.#parts[first].exported) };
  }
}

/** CommonJS: to node's loader of ES modules a start would wait 10 ms longer. */
function loaderText(name, exported) {
  return `// Runs ${name}.script.js, from V8's cache where that fits.
"use strict";
const { readFileSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const { Script } = require("node:vm");
const filename = \`\${__dirname}/${name}.script.js\`;
let cachedData;
try {
  cachedData = readFileSync(\`\${__dirname}/${name}.cache\`);
} catch {
  // It is made by the build, and not needed.
}
const script = new Script(readFileSync(filename, "latin1"), { filename, cachedData });
const program = script.runInThisContext()(require, pathToFileURL(__filename).href).run();
${exported.map((name) => `exports.${name} = program.${name};`).join("\n")}
`;
}

/** The left side of a declaration for what an import names. */
function bindings(names) {
  return names.replace(/^\* as /, "").replaceAll(/(\w+) as (\w+)/g, "$1: $2");
}

/** The program that begins with the module `entry` of the folder `source` and will stand in `folder`: texts of its script and its loader. */
export function programFiles(name, source, entry, folder) {
  return new Bundle(source).files(name, entry, folder);
}

/** Writes the programs of a compiled checkout. */
export function bundlePrograms(root) {
  const source = path.join(root, "dist", "src");
  const folder = path.join(root, "dist", "programs");
  mkdirSync(folder, { recursive: true });
  for (const [name, { entry, options }] of Object.entries(PROGRAMS)) {
    const { script, loader } = programFiles(name, source, entry, folder);
    const file = path.join(folder, `${name}.script.js`);
    const isNew = !existsSync(file) || readFileSync(file, "latin1") !== script;
    if (isNew) write(file, script);
    write(path.join(folder, `${name}.cjs`), loader);
    const cache = path.join(folder, `${name}.cache`);
    if (!isNew && existsSync(cache)) continue;
    // In a process with the program's own options. Without a cache a start only takes longer.
    spawnSync(process.execPath, [...options, fileURLToPath(import.meta.url), file, cache], { stdio: "inherit" });
  }
}

/** At once, for a server that starts meanwhile. */
function write(file, content) {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/** Runs all modules of a script but the first, whose run is the program's, and writes what V8 has compiled for that. */
async function writeCache(file, cache) {
  const { createRequire } = await import("node:module");
  const { Script } = await import("node:vm");
  const script = new Script(readFileSync(file, "latin1"), { filename: file });
  const url = pathToFileURL(file).href;
  for (const run of script.runInThisContext()(createRequire(url), url).others) run();
  write(cache, script.createCachedData());
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeCache(process.argv[2], process.argv[3]);
