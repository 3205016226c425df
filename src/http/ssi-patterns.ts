/** Patterns that pages bring, translated once. */
import { type Decoded, malformed } from "../base/decoded.ts";
import { type Pattern, translatePattern } from "../conf/pcre.ts";

/** Patterns that are kept; when there are more, all are forgotten. */
const KEPT_PATTERNS = 64;

export class SsiPatterns {
  private readonly kept = new Map<string, Decoded<Pattern>>();

  get(source: string): Decoded<Pattern> {
    const known = this.kept.get(source);
    if (known !== undefined) return known;
    // The translator wants none of the NULs that a page may have.
    const translated = translatePattern(source.replace(/\\?\0/g, "\\x00"), false);
    const pattern = translated.ok
      ? translated
      : malformed(`pcre2_compile() failed: ${translated.reason} in "${source}"`);
    if (this.kept.size >= KEPT_PATTERNS) this.kept.clear();
    this.kept.set(source, pattern);
    return pattern;
  }
}
