// Puts a program into one file, dist/programs/*.js: node needs half a millisecond for every module that it loads, and a worker has
// 200 of them. What tsc has made stays as it is; each module becomes a function that runs when its first
// importer does. Plain JavaScript, as setup.mjs is. Understands what tsc makes of our sources, and fails at anything else.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Entry modules below dist/src, by the program's name. */
const PROGRAMS = { nginx: "cli/nginx.js", "nginx-worker": "process/nginx-worker.js", tandem: "cli/tandem.js" };

const STATIC_IMPORT = /^import (\* as \w+|\w+|\{[^}]*\}) from "([^"]+)";$/gm;
const DYNAMIC_IMPORT = /\bimport\("(\.[^"]+)"\)/g;
const EXPORT = /^export ((?:async )?function\*? |const |let |class )(\w+)/gm;
const NOTHING = /^export \{\};$|^\/\/# sourceMappingURL=.*$/gm;
/** Forms of import and export that are left when those above are gone. */
const UNKNOWN = /^(import|export)\b|\bimport\((?!"node:)/m;

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

  /** The text of a program. */
  text(entry, folder) {
    const first = this.#add(path.join(this.#source, entry));
    for (let number = 0; number < this.#parts.length; number++) this.#parts[number].body = this.#parts[number].later();
    const parts = this.#parts.map(({ name, number, exported, body }) => {
      const url = path.posix.join(path.posix.relative(folder, this.#source), name);
      const text = body
        .replaceAll("import.meta.url", `new URL(${JSON.stringify(url)}, import.meta.url).href`)
        // A text of ASCII alone takes half the memory. These stand in comments, strings and patterns.
        .replace(/[\u0080-\uffff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
      return `// ${name}\nconst $${number} = $once(() => {\n${text}\nreturn { ${exported.join(", ")} };\n});\n`;
    });
    const names = this.#parts[first].exported;
    return [
      'import { createRequire } from "node:module";',
      "const $require = createRequire(import.meta.url);",
      "const $once = (run) => { let value; return () => (value ??= run()); };",
      ...parts,
      `const $program = $${first}();`,
      ...names.map((name) => `export const ${name} = $program.${name};`),
      "",
    ].join("\n");
  }
}

/** The left side of a declaration for what an import names. */
function bindings(names) {
  return names.replace(/^\* as /, "").replaceAll(/(\w+) as (\w+)/g, "$1: $2");
}

/** The text of the program that begins with the module `entry` of the folder `source`; it will stand in `folder`. */
export function programText(source, entry, folder) {
  return new Bundle(source).text(entry, folder);
}

/** Writes the programs of a compiled checkout. */
export function bundlePrograms(root) {
  const source = path.join(root, "dist", "src");
  const folder = path.join(root, "dist", "programs");
  mkdirSync(folder, { recursive: true });
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    const file = path.join(folder, `${name}.js`);
    // At once, for a server that starts meanwhile.
    writeFileSync(`${file}.new`, programText(source, entry, folder));
    renameSync(`${file}.new`, file);
  }
}
