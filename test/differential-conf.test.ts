/** The same bad configurations to Tandem and to the nginx of this machine: the first error must be the same, line included. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { bind } from "../src/conf/bind.ts";
import { catalog } from "../src/conf/catalog.ts";
import { isFatal, printDiagnostic } from "../src/conf/diagnostics.ts";
import { parse } from "../src/conf/nginx/parser.ts";
import { confModule } from "../src/conf/slot.ts";
import { block, list } from "../src/conf/slots.ts";
import { findNginx, NginxCheck } from "./support/nginx-binary.ts";

const binary = findNginx();
const skip = binary === undefined ? "no nginx is installed here (NGINX_BINARY names one elsewhere)" : false;
const nginx = binary === undefined ? undefined : new NginxCheck(binary);
after(() => nginx?.remove());

/** As much as the grammar needs: a raw block takes lines of any words. */
const grammar = catalog([
  confModule({
    name: "grammar",
    contexts: "http",
    directives: {
      events: block({ main: "events" }, { doc: "A block." }),
      http: block({ main: "http" }, { doc: "A block." }),
      types: list((use) => [...use.entries].length, { doc: "Words.", syntax: "{ ... }", args: 0, block: true }),
    },
  }),
]);

function firstError(lines: readonly string[]): string | undefined {
  return lines.find((line) => line.startsWith("[emerg]"));
}

test("random texts are refused with the same words and the same line", { skip }, () => {
  const pieces = fc.constantFrom(..."ab;{}\"'\\$#() \n;", "${", "\\n", "a b;", "\n\n", "\r\n", '"x y"', "'z';");
  const texts = fc.array(pieces, { maxLength: 24 }).map((parts) => parts.join(""));
  let refused = 0;
  for (const text of fc.sample(texts, { seed: 20, numRuns: 400 })) {
    const whole = `events {}\nhttp {\ntypes {\n${text}\n}\n}\n`;
    const file = nginx!.write("random.conf", whole);
    const { diagnostics } = bind([parse(whole, { file })], grammar, { prefix: "/", confPrefix: "/" });
    const ours = firstError(diagnostics.filter(isFatal).map(printDiagnostic));
    assert.equal(ours, firstError(nginx!.test(file)), JSON.stringify(text));
    if (ours !== undefined) refused++;
  }
  assert.ok(refused > 100 && refused < 400, `${refused} of the texts are malformed`);
});
