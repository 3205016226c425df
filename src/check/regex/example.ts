/** A short text that an expression matches: to show what it takes, and to try it against others. */
import { type ByteSet, lowest, type Node } from "./syntax.ts";

/** Tried in this order, so that an example reads like a path or a name. */
const FAVOURITES = "a1/.-_ =?";

function favourite(set: ByteSet): string {
  for (const character of FAVOURITES) if ((set >> BigInt(character.charCodeAt(0))) & 1n) return character;
  return set === 0n ? "" : String.fromCharCode(lowest(set));
}

/** What a dot of the expression becomes in the example. */
export type DotText = "." | "x";

/** One text that the node matches, were it not for look-arounds and the like; a lone `.` becomes `dot`. */
export function exampleOf(node: Node, dot: DotText = "."): string {
  switch (node.kind) {
    case "set":
      return node.isDot ? dot : favourite(node.set);
    case "group":
      return exampleOf(node.node, dot);
    case "sequence":
      return node.parts.map((part) => exampleOf(part, dot)).join("");
    case "choice":
      return exampleOf(node.options[0] as Node, dot);
    case "repeat": {
      // Something rather than nothing: x* with an x is the better example, an optional part is left out.
      const count = node.min === 0 && node.max > 1 ? 1 : node.min;
      return (node.node.kind === "set" && node.node.isDot ? "a" : exampleOf(node.node, dot)).repeat(count);
    }
    default:
      return "";
  }
}
