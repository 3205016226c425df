/** Names for numbers, as iproute2 keeps them in its files: routing tables, protocols, scopes, TOS values, realms, link groups. */
import { latin1 } from "../../base/bytes.ts";
import type { ConfigReader } from "../nginx/load.ts";

/** Files of iproute2. */
export type NameFile = "rt_tables" | "rt_protos" | "rt_scopes" | "rt_dsfield" | "rt_realms" | "group";

const FOLDERS = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"] as const;
const MAX: Readonly<Record<NameFile, number>> = {
  rt_tables: 0xffff_ffff,
  rt_protos: 255,
  rt_scopes: 255,
  rt_dsfield: 255,
  rt_realms: 0xffff,
  group: 0x7fff_ffff,
};

/** What everybody knows without a file. A file may give a number another name; its own name is then unknown. */
const BUILT_IN: Readonly<Record<NameFile, Readonly<Record<string, number>>>> = {
  rt_tables: { default: 253, main: 254, local: 255 },
  rt_protos: {
    none: 0,
    redirect: 1,
    kernel: 2,
    boot: 3,
    static: 4,
    gated: 8,
    ra: 9,
    mrt: 10,
    zebra: 11,
    bird: 12,
    dnrouted: 13,
    xorp: 14,
    ntk: 15,
    dhcp: 16,
    babel: 42,
  },
  rt_scopes: { global: 0, site: 200, link: 253, host: 254, nowhere: 255 },
  rt_dsfield: {},
  rt_realms: {},
  group: { default: 0 },
};

/** Looks names up; a file is read when somebody first asks for a name of its kind. */
export class IprouteNames {
  readonly #reader: ConfigReader | undefined;
  readonly #folders: readonly string[];
  readonly #known = new Map<NameFile, ReadonlyMap<string, number>>();

  /** `folders`: where else than in iproute2's usual places the files are; the first that has a file wins. */
  constructor(reader: ConfigReader | undefined, folders: readonly string[] = []) {
    this.#reader = reader;
    this.#folders = [...folders, ...FOLDERS];
  }

  /** A number (decimal, 0x, or 0 and octal) or a name; undefined: unknown, or out of bounds. */
  number(file: NameFile, text: string): number | undefined {
    const value = parseNumber(text) ?? this.#names(file).get(text);
    return value !== undefined && value <= MAX[file] ? value : undefined;
  }

  #names(file: NameFile): ReadonlyMap<string, number> {
    let names = this.#known.get(file);
    if (names === undefined) {
      names = this.#read(file);
      this.#known.set(file, names);
    }
    return names;
  }

  #read(file: NameFile): ReadonlyMap<string, number> {
    const names = new Map<string, number>();
    const numbers = new Set<number>();
    for (const folder of this.#folders) {
      const found = this.#reader?.read(`${folder}/${file}`);
      if (found === undefined || !(found instanceof Uint8Array)) continue;
      for (const [name, number] of parseNames(latin1(found))) {
        names.set(name, number);
        numbers.add(number);
      }
      break;
    }
    for (const [name, number] of Object.entries(BUILT_IN[file]))
      if (!numbers.has(number) && !names.has(name)) names.set(name, number);
    return names;
  }
}

/** C's strtoul with base 0. */
export function parseNumber(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

/** Lines of `NUMBER NAME`; anything else is a comment. */
export function parseNames(text: string): readonly (readonly [name: string, number: number])[] {
  const names: [string, number][] = [];
  for (const line of text.split("\n")) {
    const [number = "", name, more] = line.trim().split(/[ \t]+/);
    const value = parseNumber(number);
    if (value !== undefined && name !== undefined && more === undefined) names.push([name, value]);
  }
  return names;
}
