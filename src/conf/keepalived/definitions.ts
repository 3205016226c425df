/**
 * `$NAME=value` and `${NAME}` of a keepalived.conf: text that stands for text, resolved where it is used, again and
 * again until nothing is left to resolve. An undefined name stays as it is written.
 */
import type { ReadOptions } from "./reader.ts";

const DEFINITION = /^\$([A-Za-z0-9_]+)=(.*)$/s;
const USE = /\$(?:([A-Za-z0-9_]+)|\{\s*([A-Za-z0-9_]+)((?:\s+[^{}]*)?)\})/g;

/** Names that are longer, or text that grows beyond these, is left unresolved: a definition that uses itself ends. */
export const MAX_PASSES = 32;
export const MAX_EXPANSION = 65_536;

/** A definition's name and value, or undefined when the line is none. `$A = b` is none: no blanks at the `=`. */
export function parseDefinition(text: string): { name: string; value: string } | undefined {
  const match = DEFINITION.exec(text);
  return match === null ? undefined : { name: match[1] as string, value: match[2] as string };
}

/** The definitions in force at one place of the file. */
export class Definitions {
  readonly #values = new Map<string, string>();
  readonly #options: ReadOptions;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  define(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /** `text` with every known name replaced; `local` names (a repeater's variables) hide the others. */
  resolve(text: string, directory: string, local?: ReadonlyMap<string, string>): string {
    if (!text.includes("$")) return text;
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const next = text.replace(USE, (use: string, plain?: string, braced?: string, parameters?: string) => {
        const name = (plain ?? braced) as string;
        return local?.get(name) ?? this.#values.get(name) ?? this.#predefined(name, parameters ?? "", directory) ?? use;
      });
      if (next === text || next.length > MAX_EXPANSION) return text;
      text = next;
    }
    return text;
  }

  #predefined(name: string, parameters: string, directory: string): string | undefined {
    const words = parameters.trim().split(/\s+/);
    switch (name) {
      case "_PWD":
        return directory;
      case "_INSTANCE":
        return this.#options.configId;
      case "_ENV":
        return this.#options.environment?.(words[0] ?? "") ?? "";
      case "_RANDOM": {
        const min = Number(words[0] || 0);
        const max = Number(words[1] || 32767);
        if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || max < min) return undefined;
        return String(this.#options.random?.(min, max) ?? min);
      }
      case "_HASH":
        return "#";
      case "_BANG":
        return "!";
      default:
        return undefined;
    }
  }
}
