/**
 * `npm run fuzz -- proxy [--runs N] [--first N] [--seed N] [--nginx FILE] [--record]`: seeded conversations through Tandem and nginx, with what client
 * and back end see compared. A difference is made small and printed with its seed. `--record` writes what
 * both agree upon to test/fuzz/proxy-agreed.txt, which `npm test` compares with: do it with the newest nginx when the cases change.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findNginx } from "../support/nginx-binary.ts";
import { agreedViews, fuzzProxy, printDifference } from "./proxy.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "5000" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
    nginx: { type: "string" },
    verbose: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    most: { type: "string", default: "10" },
  },
});

async function main(): Promise<number> {
  const nginx = values.nginx ?? findNginx();
  if (positionals[0] !== "proxy" || positionals.length > 1) {
    console.error("usage: npm run fuzz -- proxy [--runs N] [--first N] [--seed N] [--nginx FILE] [--most N]");
    return 1;
  }
  if (nginx === undefined) {
    console.error("fuzz: nginx is not installed here (Debian: apt-get install nginx-light)");
    return 1;
  }
  const first = Number(values.seed ?? values.first);
  const runs = values.seed === undefined ? Number(values.runs) : 1;
  if (values.record) {
    const agreed = await agreedViews(nginx, first, runs);
    const lines = [...agreed].map(([seed, hash]) => `${seed} ${hash}\n`);
    writeFileSync(
      path.join(fileURLToPath(new URL("../../../test/fuzz", import.meta.url)), "proxy-agreed.txt"),
      lines.join(""),
    );
    console.log(`${agreed.size} of ${runs} conversations recorded`);
    return 0;
  }
  const started = performance.now();
  const outcome = await fuzzProxy(nginx, first, runs, Number(values.most));
  for (const difference of outcome.differences) console.log(`${printDifference(difference)}\n`);
  for (const [reason, count] of outcome.known) console.log(`${count} times: ${reason}`);
  if (values.verbose) for (const once of outcome.unrepeated) console.log(`not seen again: ${printDifference(once)}\n`);
  const once = outcome.unrepeated.map(({ seed }) => seed);
  if (once.length > 0) console.log(`not seen again: ${once.join(" ")}`);
  for (const alarm of outcome.alarms) console.log(`Tandem's log: ${alarm}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${outcome.cases} conversations, ${outcome.differences.length} differences, ${seconds} s`);
  return outcome.differences.length + outcome.alarms.length > 0 ? 1 : 0;
}

process.exit(await main());
