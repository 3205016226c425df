/**
 * Values by text without regard to case, and by host names with a wildcard: the exact text first, then the longest
 * wildcard in front, then the longest behind. nginx: ngx_hash_find_combined.
 */

/** A text or a wildcard of host names. */
export interface HostKey {
  readonly kind: "exact" | "front" | "back";
  /** In lower case: the text, `.example.org` of a wildcard in front, `www.example.` of one behind. */
  readonly text: string;
  /** `.example.org` stands for the name itself, too. */
  readonly ownName: string | undefined;
  /** Keys that share one of these contradict each other. */
  readonly conflicts: readonly string[];
}

/** Reads a key; with wildcards only when they are meant. Undefined when a wildcard is malformed. */
export function parseHostKey(text: string, hasWildcards: boolean): HostKey | undefined {
  const lower = lowerAscii(text);
  if (!hasWildcards) return exact(lower);
  if (text.indexOf("*") !== text.lastIndexOf("*") || text.includes("..")) return undefined;
  if (lower.length > 1 && lower.startsWith(".")) {
    const ownName = lower.slice(1);
    return { kind: "front", text: lower, ownName, conflicts: [`=${ownName}`, `<${ownName}`] };
  }
  if (lower.length > 2 && lower.startsWith("*."))
    return { kind: "front", text: lower.slice(1), ownName: undefined, conflicts: [`<${lower.slice(2)}`] };
  if (lower.length > 2 && lower.endsWith(".*"))
    return { kind: "back", text: lower.slice(0, -1), ownName: undefined, conflicts: [`>${lower.slice(0, -2)}`] };
  return lower.includes("*") ? undefined : exact(lower);
}

function exact(text: string): HostKey {
  return { kind: "exact", text, ownName: undefined, conflicts: [`=${text}`] };
}

const BEYOND_ASCII = /[\x80-\xff]/;
const CAPITALS = /[A-Z]+/g;

/** In lower case, but for what is no ASCII: bytes are no letters. The engine's own function, where it serves, is the fastest. */
export function lowerAscii(text: string): string {
  const lower = text.toLowerCase();
  if (lower === text || !BEYOND_ASCII.test(text)) return lower;
  return text.replace(CAPITALS, (letters) => letters.toLowerCase());
}

export class HostTable<T> {
  private readonly exact = new Map<string, T>();
  private readonly fronts = new Map<string, T>();
  private readonly backs = new Map<string, T>();

  add({ kind, text, ownName }: HostKey, value: T): void {
    if (kind === "exact") this.exact.set(text, value);
    else if (kind === "back") this.backs.set(text, value);
    else {
      this.fronts.set(text, value);
      if (ownName !== undefined) this.exact.set(ownName, value);
    }
  }

  /** The value for a text, undefined without one. */
  find(text: string): T | undefined {
    const lower = lowerAscii(text);
    const found = this.exact.get(lower);
    if (found !== undefined || text === "") return found;
    return (
      (this.fronts.size === 0 ? undefined : this.findFront(lower)) ??
      (this.backs.size === 0 ? undefined : this.findBack(lower))
    );
  }

  private findFront(text: string): T | undefined {
    for (let dot = text.indexOf("."); dot >= 0; dot = text.indexOf(".", dot + 1)) {
      const found = this.fronts.get(text.slice(dot));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private findBack(text: string): T | undefined {
    for (let dot = text.lastIndexOf("."); dot >= 0; dot = dot === 0 ? -1 : text.lastIndexOf(".", dot - 1)) {
      const found = this.backs.get(text.slice(0, dot + 1));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
