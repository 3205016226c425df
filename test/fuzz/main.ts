/**
 * `npm run fuzz -- http1|proxy|tunnel [--runs N] [--first N] [--seed N] [--nginx FILE] [--record]`: seeded conversations with Tandem and with nginx, with
 * what they look like from outside compared. A difference is made small and printed with its seed. `--record` writes what both agree upon to
 * test/fuzz/NAME-agreed.txt, which `npm test` compares with: do it with the newest nginx when the cases change.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findNginx } from "../support/nginx-binary.ts";
import { agreedViews, type FuzzCase, fuzz, type Subject } from "./differential.ts";
import { http1Subject } from "./http1.ts";
import { proxySubject } from "./proxy.ts";
import { hasConnect, tunnelSubject } from "./tunnel.ts";

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

async function record<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  nginx: string,
  first: number,
  runs: number,
): Promise<number> {
  const agreed = await agreedViews(subject, nginx, first, runs);
  const lines = [...agreed].map(([seed, hash]) => `${seed} ${hash}\n`);
  const folder = fileURLToPath(new URL("../../../test/fuzz", import.meta.url));
  writeFileSync(path.join(folder, `${subject.name}-agreed.txt`), lines.join(""));
  console.log(`${agreed.size} of ${runs} conversations recorded`);
  return 0;
}

async function compare<Case extends FuzzCase, View>(
  subject: Subject<Case, View>,
  nginx: string,
  first: number,
  runs: number,
): Promise<number> {
  const started = performance.now();
  const outcome = await fuzz(subject, nginx, first, runs, Number(values.most));
  for (const difference of outcome.differences) console.log(`${subject.print(difference)}\n`);
  for (const [reason, count] of outcome.known) console.log(`${count} times: ${reason}`);
  if (values.verbose) for (const once of outcome.unrepeated) console.log(`not seen again: ${subject.print(once)}\n`);
  const once = outcome.unrepeated.map(({ seed }) => seed);
  if (once.length > 0) console.log(`not seen again: ${once.join(" ")}`);
  for (const alarm of outcome.alarms) console.log(`Tandem's log: ${alarm}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${outcome.cases} conversations, ${outcome.differences.length} differences, ${seconds} s`);
  return outcome.differences.length + outcome.alarms.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const nginx = values.nginx ?? findNginx();
  const [name] = positionals;
  if ((name !== "http1" && name !== "proxy" && name !== "tunnel") || positionals.length > 1) {
    console.error(
      "usage: npm run fuzz -- http1|proxy|tunnel [--runs N] [--first N] [--seed N] [--nginx FILE] [--most N] [--record]",
    );
    return 1;
  }
  if (nginx === undefined) {
    console.error("fuzz: nginx is not installed here (Debian: apt-get install nginx-light)");
    return 1;
  }
  const first = Number(values.seed ?? values.first);
  const runs = values.seed === undefined ? Number(values.runs) : 1;
  const work = values.record ? record : compare;
  if (name === "tunnel") return work(tunnelSubject(hasConnect(nginx)), nginx, first, runs);
  return name === "http1" ? work(http1Subject, nginx, first, runs) : work(proxySubject, nginx, first, runs);
}

process.exit(await main());
