/**
 * Whole configurations at random, of lines that a person might write: Tandem's first error must be nginx's, line included.
 * They show whether errors are met in nginx's order, over all blocks and modules. `RUNS=2000` tries more of them.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import type { Context } from "../src/conf/slot.ts";
import { findNginx, NginxCheck } from "./support/nginx-binary.ts";
import { testCatalog } from "./support/nginx-catalog.ts";
import { frame, readUses } from "./support/nginx-directives.ts";
import { agree, judge, tandemVerdict } from "./support/nginx-verdict.ts";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const binary = findNginx();
const skip = binary === undefined ? "no nginx is installed here (NGINX_BINARY names one elsewhere)" : false;
const nginx = binary === undefined ? undefined : new NginxCheck(binary);
after(() => nginx?.remove());

/** What `listen` of several servers, and temporary paths of several locations, mean together is not compared here. */
const CROSS_REFERENCES = /duplicate listen options|duplicate default server|the same path name|duplicate location ""/;

/** Arbitrary texts; most lines are ones that nginx accepts alone, else nothing but the first line would matter. */
function configurations(check: NginxCheck): fc.Arbitrary<string> {
  const { catalog } = testCatalog();
  const uses = readUses(root);
  const lines = (context: Context, most: number): fc.Arbitrary<string> => {
    const known = uses.filter((line) =>
      catalog.declarations.get(line.split(/[ ;]/, 1)[0] as string)?.some(({ contexts }) => contexts.includes(context)),
    );
    const sound = known.filter((line) => tandemVerdict(frame(context, line), check.folder) === "accepted");
    const line = fc.oneof(
      { weight: 28, arbitrary: fc.constantFrom(...sound) },
      { weight: 1, arbitrary: fc.constantFrom(...known) },
      { weight: 1, arbitrary: fc.constantFrom(...uses) },
    );
    return fc.array(line, { maxLength: most }).map((chosen) => chosen.join("\n"));
  };
  const block = (heads: readonly string[], ...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
    fc.tuple(fc.constantFrom(...heads), ...parts).map(([head, ...inside]) => `${head} {\n${inside.join("\n")}\n}`);
  const maybe = (part: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.option(part, { nil: "", freq: 1 });
  const many = (part: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
    fc.array(part, { maxLength: most }).map((parts) => parts.join("\n"));

  const kinds = ["/", "/a", "/a/b", "= /a", "~ x", "@n", "^~ /a/", "/c"].map((words) => `location ${words}`);
  const inside = [
    lines("location", 4),
    maybe(block(["if ($uri)"], lines("if in location", 2))),
    maybe(block(["limit_except GET"], lines("limit_except", 2))),
  ];
  const location = block(kinds, ...inside, maybe(block(kinds, ...inside)));
  const server = block(
    ["server"],
    lines("server", 5),
    maybe(block(["if ($uri)"], lines("if in server", 2))),
    many(location, 3),
  );
  const whole = fc
    .tuple(lines("main", 2), block(["events"], lines("events", 2)), block(["http"], lines("http", 4), many(server, 3)))
    .map((parts) => `${parts.join("\n")}\n`);
  return fc.tuple(whole, slips).map(([text, slip]) => (slip === null ? text : slip(text)));
}

/** Slips of the pen: one character too many, or one too few. */
const slips = fc.option(
  fc.tuple(fc.nat(), fc.constantFrom(";", "{", "}", '"', "'", "\\", "#", "$", "\n", "")).map(([at, character]) => {
    return (text: string): string => {
      const index = at % text.length;
      return text.slice(0, index) + character + text.slice(character === "" ? index + 1 : index);
    };
  }),
  { freq: 2 },
);

test("random configurations are judged as nginx judges them", { skip, timeout: 600_000 }, () => {
  const runs = Number(process.env["RUNS"] ?? 150);
  const counts = { accepted: 0, refused: 0 };
  for (const text of fc.sample(configurations(nginx!), { seed: 3, numRuns: runs })) {
    const verdicts = judge(text, nginx!);
    counts[verdicts.ours === "accepted" ? "accepted" : "refused"]++;
    if (agree(verdicts) || CROSS_REFERENCES.test(`${verdicts.ours}${verdicts.theirs}`)) continue;
    assert.fail(`ours   ${verdicts.ours}\nnginx  ${verdicts.theirs}\n\n${text}`);
  }
  assert.ok(counts.accepted > runs / 10 && counts.refused > runs / 10, JSON.stringify(counts));
});
