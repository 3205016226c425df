// Puts a program into one script, dist/programs/*.script.js: node needs half a millisecond for every module that it loads, and a worker has
// 200 of them. What tsc has made stays as it is; each module becomes a function that runs when its first
// importer does. What is imported late lies in a second script (*.late.script.js), so that a program begins before all of it is read. Beside them
// lie a module that loads them, and what V8 has compiled of each (*.cache), which node uses if it is the same node.
// Plain JavaScript, as setup.mjs is. Understands what tsc makes of our sources, and fails at anything else.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

/**
 * Entry modules below dist/src, by the program's name. `optionsOf` names the module that has the options of node that it is started with, as
 * `V8_OPTIONS`: V8's cache is bound to them. `early` are modules that it imports late, but which belong to its first script nevertheless: what
 * starts workers while the rest is read. `isEager`: V8 compiles every function for the cache, not only what runs while modules are loaded: a
 * worker in reserve and a backup router have to be quick when their moment comes, and begin with code that has never run.
 */
const PROGRAMS = {
  nginx: { entry: "cli/nginx.js", early: ["process/spare-workers.js"] },
  "nginx-worker": { entry: "process/nginx-worker.js", optionsOf: "process/v8-options.js", isEager: true },
  tandem: { entry: "cli/tandem.js", early: ["cli/up.js", "process/spare-workers.js"] },
  keepalived: { entry: "cli/keepalived.js" },
  vrrp: { entry: "process/vrrp-main.js", isEager: true },
  checker: { entry: "process/checker-main.js" },
};

const STATIC_IMPORT = /^import (\* as \w+|\w+|\{[^}]*\}) from "([^"]+)";$/gm;
const DYNAMIC_IMPORT = /\bimport\("([^"]+)"\)/g;
const EXPORT = /^export ((?:async )?function\*? |const |let |class )(\w+)/gm;
/** Where no line has an odd number of them, no template goes over the end of a line. */
const OPEN_TEMPLATE = /^[^`\n]*`(?:[^`\n]*`[^`\n]*`)*[^`\n]*$/m;
const INDENTATION = /^ +/gm;
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
    return { name, file, number, exported, body };
  }

  #reference(file, from) {
    return from.startsWith(".")
      ? `$${this.#add(path.resolve(path.dirname(file), from))}()`
      : `$require(${JSON.stringify(from)})`;
  }

  /** Adds what is imported late: such a module may import those that import it. */
  #addLate() {
    for (let number = 0; number < this.#parts.length; number++) {
      const { body, file } = this.#parts[number];
      for (const [, from] of body.matchAll(DYNAMIC_IMPORT)) this.#reference(file, from);
    }
  }

  /** The scripts (`late` is undefined where nothing is) and their loader. */
  files(name, { entry, early = [], options = [], addons = {} }, folder) {
    for (const one of [entry, ...early]) this.#add(path.join(this.#source, one));
    const earlyCount = this.#parts.length;
    this.#addLate();
    const isLate = (number) => number >= earlyCount;
    const parts = this.#parts.map(({ name, file, number, exported, body }) => {
      const url = path.posix.join(path.posix.relative(folder, this.#source), name);
      const text = body
        .replace(DYNAMIC_IMPORT, (_, from) => {
          const imported = this.#reference(file, from);
          const crosses = !isLate(number) && isLate(Number(/\d+/.exec(imported)?.[0]));
          return `Promise.resolve(${crosses ? "$late()." : ""}${imported})`;
        })
        .replace(OPEN_TEMPLATE.test(body) ? "" : INDENTATION, "")
        .replaceAll("import.meta.url", `new URL(${JSON.stringify(url)}, $url).href`)
        // A text of ASCII alone takes half the memory. These stand in comments, strings and patterns.
        .replace(/[\u0080-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return `// ${name}\nconst $${number} = $once(() => {\n${text}\nreturn { ${exported.join(", ")} };\n});\n`;
    });
    const names = parts.map((_, number) => `$${number}`);
    const ours = `{ ${names.slice(0, earlyCount).join(", ")} }`;
    const theirs = `{ ${names.slice(earlyCount).join(", ")} }`;
    const script = (head, own, result) => [`(${head}`, '"use strict";', ...own, result, "})", ""].join("\n");
    const first = script(
      "($require, $url, $load) => {",
      [
        "const $once = (run) => { let value; return () => (value ??= run()); };",
        `const $late = $once(() => $load()($require, $url, $once, ${ours}));`,
        ...parts.slice(0, earlyCount),
      ],
      `return { run: $0, early: ${ours}, late: $late };`,
    );
    const hasLate = parts.length > earlyCount;
    const late = script(
      "($require, $url, $once, $early) => {",
      [`const ${ours} = $early;`, ...parts.slice(earlyCount)],
      `return ${theirs};`,
    );
    return {
      script: first,
      late: hasLate ? late : undefined,
      loader: loaderText(name, this.#parts[0].exported, options, addons),
    };
  }
}

/** CommonJS: to node's loader of ES modules a start would wait 10 ms longer. */
function loaderText(name, exported, options, addons) {
  return `// Runs ${name}.script.js, from V8's cache where that fits: ${["node", ...options].join(" ")}
"use strict";
const { readFileSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const { Script } = require("node:vm");
const load = (name) => {
  const filename = \`\${__dirname}/\${name}.script.js\`;
  let cachedData;
  try {
    cachedData = readFileSync(\`\${__dirname}/\${name}.cache\`);
  } catch {
    // It is made by the build, and not needed.
  }
  return new Script(readFileSync(filename, "latin1"), { filename, cachedData }).runInThisContext();
};
// Packages of which the native half is all that is needed: their own scripts would look for it for 8 ms.
const addons = ${JSON.stringify(addons)};
const need = (name) => {
  const file = addons[name];
  if (file !== undefined)
    try {
      const addon = { exports: {} };
      process.dlopen(addon, \`\${__dirname}/\${file}\`);
      return addon.exports;
    } catch {
      // Installed anew since the build: the package finds its other half.
    }
  return require(name);
};
const program = load("${name}")(need, pathToFileURL(__filename).href, () => load("${name}.late")).run();
${exported.map((name) => `exports.${name} = program.${name};`).join("\n")}
`;
}

/** The left side of a declaration for what an import names. */
function bindings(names) {
  return names.replace(/^\* as /, "").replaceAll(/(\w+) as (\w+)/g, "$1: $2");
}

/** The program of modules in the folder `source` that will stand in `folder`: texts of its scripts and its loader. `modules`: as in `PROGRAMS`. */
export function programFiles(name, source, modules, folder) {
  return new Bundle(source).files(name, modules, folder);
}

/** Writes the programs of a compiled checkout. */
export async function bundlePrograms(root) {
  const source = path.join(root, "dist", "src");
  const folder = path.join(root, "dist", "programs");
  const addons = { koffi: path.relative(folder, addonOf("koffi")) };
  mkdirSync(folder, { recursive: true });
  for (const [name, { optionsOf, isEager, ...modules }] of Object.entries(PROGRAMS)) {
    const options = optionsOf && (await import(pathToFileURL(path.join(source, optionsOf)).href)).V8_OPTIONS;
    const { script, late, loader } = programFiles(name, source, { ...modules, options, addons }, folder);
    const at = (end) => path.join(folder, name + end);
    const isNew = [
      [".script.js", script],
      [".late.script.js", late],
      [".cjs", loader],
    ].filter(([end, text]) => text !== undefined && renew(at(end), text));
    if (isNew.length === 0 && existsSync(at(".cache"))) continue;
    // In a process with the program's own options. Without a cache a start only takes longer.
    const args = [fileURLToPath(import.meta.url), at(""), ...(isEager ? ["eager"] : [])];
    spawnSync(process.execPath, [...(options ?? []), ...args], { stdio: "inherit" });
  }
}

/** The native half that a package has chosen for this machine. */
function addonOf(name) {
  const require = createRequire(import.meta.url);
  require(name);
  const loaded = Object.keys(require.cache).filter((file) => file.endsWith(`${name}.node`));
  if (loaded.length !== 1) throw new Error(`which of ${loaded} is the addon of ${name}?`);
  return loaded[0];
}

/** True: the file had another text. */
function renew(file, text) {
  const isNew = !existsSync(file) || readFileSync(file, "latin1") !== text;
  if (isNew) write(file, text);
  return isNew;
}

/** At once, for a server that starts meanwhile. */
function write(file, content) {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/**
 * Runs all modules of a program but its entry, whose run is the program's, and writes what V8 has compiled for that, or all that it can (`isEager`).
 * `file` lacks its end.
 */
async function writeCaches(file, isEager) {
  const { Script } = await import("node:vm");
  if (isEager) setFlagsFromString("--no-lazy");
  const compile = (end) => {
    const filename = `${file}${end}.script.js`;
    return new Script(readFileSync(filename, "latin1"), { filename });
  };
  const [first, late] = [compile(""), existsSync(`${file}.late.script.js`) ? compile(".late") : undefined];
  const url = pathToFileURL(`${file}.cjs`).href;
  const program = first.runInThisContext()(createRequire(url), url, () => late.runInThisContext());
  const { $0: _entry, ...others } = program.early;
  for (const run of Object.values({ ...others, ...(late === undefined ? {} : program.late()) })) run();
  // Only a process with the same flags takes the cache.
  if (isEager) setFlagsFromString("--lazy");
  write(`${file}.cache`, first.createCachedData());
  if (late !== undefined) write(`${file}.late.cache`, late.createCachedData());
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeCaches(process.argv[2], process.argv[3] === "eager");
