/** `split_clients`: shares visitors out by the hash of a text. nginx: ngx_http_split_clients_module, ngx_stream_split_clients_module. */
import { fromLatin1 } from "../base/bytes.ts";
import { murmur2 } from "../base/hash-murmur2.ts";
import type { ConfOf, Use } from "../conf/slot.ts";
import { list } from "../conf/slots.ts";
import type { Template } from "../conf/template.ts";
import { parseFixedPoint } from "../conf/units.ts";
import { type Definition, type Getter, parseDefined, type TextPlace } from "./variables.ts";

/** All of them, in hundredths of a percent. */
const WHOLE = 10_000;
const LARGEST_HASH = 0xffffffff;

/** Visitors whose hash is below the bound, and no earlier share's. */
export interface Share {
  /** Infinity for the rest. */
  readonly below: number;
  readonly value: string;
}

/** A block. */
export interface SplitBlock {
  readonly variable: string;
  readonly source: Template;
  readonly shares: readonly Share[];
}

/** Hundredths of a percent, Infinity for `*`; undefined when malformed. */
function parsePercent(text: string): number | undefined {
  if (text === "*") return Number.POSITIVE_INFINITY;
  const percent = text.endsWith("%") ? parseFixedPoint(text.slice(0, -1), 2) : undefined;
  return percent === 0 ? undefined : percent;
}

function parseShares(use: Use): readonly Share[] | undefined {
  const shares: Share[] = [];
  let isSound = true;
  let sum = 0;
  let below = 0;
  for (const entry of use.entries) {
    const percent = parsePercent(entry.name);
    const [value] = entry.args;
    if (percent === undefined) entry.fail(`invalid percent value "${entry.name}"`);
    else if (value === undefined || entry.args.length > 1) entry.invalidArity();
    if (percent === undefined || value === undefined || entry.args.length > 1) {
      isSound = false;
      continue;
    }
    // What fills the whole takes the rest, rounding errors included.
    sum = percent === Number.POSITIVE_INFINITY ? WHOLE : sum + percent;
    if (sum !== WHOLE) below += Number((BigInt(percent) * BigInt(LARGEST_HASH)) / BigInt(WHOLE));
    if (sum > WHOLE && isSound) {
      use.fail("percent total is greater than 100%");
      isSound = false;
    }
    shares.push({ below: sum === WHOLE ? Number.POSITIVE_INFINITY : below, value });
  }
  return isSound ? shares : undefined;
}

function parseSplit(use: Use): SplitBlock | undefined {
  const [text = "", word = ""] = use.args;
  const source = use.template(text);
  const variable = parseDefined(use, word);
  const shares = parseShares(use);
  return source === undefined || variable === undefined || shares === undefined
    ? undefined
    : { variable, source, shares };
}

/** The directive, in the context of a service's own block. */
export function splitDirectives(context: "http" | "stream") {
  return {
    split_clients: list(parseSplit, {
      in: context,
      args: 2,
      block: true,
      syntax: "string $variable { ... }",
      doc: "Defines a variable that has each of several values for a share of the visitors, by the hash of a text.",
    }),
  };
}

function compileSplit<S>({ source, shares }: SplitBlock, place: TextPlace<S>): Getter<S> {
  const text = place.compile(source);
  return (subject) => {
    const hash = murmur2(fromLatin1(text(subject)));
    for (let i = 0; i < shares.length; i++) {
      const { below, value } = shares[i] as Share;
      if (hash < below) return value;
    }
    return "";
  };
}

/** The variables that the blocks define. */
export function splitDefinitions<S>({
  split_clients: blocks,
}: ConfOf<ReturnType<typeof splitDirectives>>): readonly Definition<S>[] {
  return blocks.map((block) => ({
    name: block.variable,
    isVolatile: false,
    compile: (place) => compileSplit(block, place),
  }));
}
