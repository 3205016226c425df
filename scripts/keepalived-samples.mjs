// `node scripts/keepalived-samples.mjs FOLDER [--all]`: loads every keepalived.conf* of a folder, such as doc/samples of keepalived's
// repository, with `keepalived -t` and with Tandem's, in a network namespace, and compares their verdicts. Needs root and keepalived.
// Exit status 1: a verdict differs, in a file that does not use what Tandem refuses by name. --all prints what both say.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { root } from "./setup.mjs";

/** The interfaces that samples name. */
const NETWORK = `
for i in 0 1 2 3; do ip link add eth$i type veth peer name peer$i && ip link set eth$i up && ip link set peer$i up || exit 77; done
ip link set lo up; ip addr add 192.168.200.5/24 dev eth0; ip addr add 10.0.0.1/24 dev eth1
exec "$@"
`;
const REFUSED = /'([^']+)' (?:of a route )?is refused: /;
const TIMEOUT_MS = 20_000;

/** Exit status and messages of a program's -t. */
function testConfiguration(program, file) {
  const command = ["--net", "--mount", "sh", "-c", NETWORK, "sh", program, "-t", "-i", "node", "-f", file];
  const { status, stdout, stderr } = spawnSync("unshare", command, { encoding: "utf8", timeout: TIMEOUT_MS });
  if (status === 77) throw new Error("no network namespace can be made here");
  return { status, lines: `${stdout}${stderr}`.split("\n").filter((line) => line !== "") };
}

/** What both say about each file of the folder. */
export function compareSamples(folder) {
  const ours = path.join(root, "bin", "keepalived");
  return readdirSync(folder)
    .filter((name) => name.startsWith("keepalived.conf"))
    .sort()
    .map((name) => {
      const file = path.join(folder, name);
      const [theirs, tandem] = [testConfiguration("keepalived", file), testConfiguration(ours, file)];
      const refused = new Set(tandem.lines.flatMap((line) => REFUSED.exec(line)?.[1] ?? []));
      return { name, theirs, tandem, refused: [...refused], isSame: theirs.status === tandem.status };
    });
}

if (process.argv[1] === path.join(root, "scripts", "keepalived-samples.mjs")) {
  const folder = process.argv[2];
  if (folder === undefined || !existsSync(folder)) {
    console.error("usage: node scripts/keepalived-samples.mjs FOLDER [--all]");
    process.exit(2);
  }
  let different = 0;
  for (const { name, theirs, tandem, refused, isSame } of compareSamples(folder)) {
    const why = refused.length === 0 ? "" : `, refused: ${refused.join(", ")}`;
    if (!isSame && refused.length === 0) different++;
    console.log(`${isSame ? "same  " : "differs"} ${name}: keepalived ${theirs.status}, Tandem ${tandem.status}${why}`);
    if ((isSame || refused.length > 0) && !process.argv.includes("--all")) continue;
    for (const line of theirs.lines.filter((one) => !tandem.lines.includes(one)))
      console.log(`    keepalived: ${line}`);
    for (const line of tandem.lines.filter((one) => !theirs.lines.includes(one)))
      console.log(`    Tandem:     ${line}`);
  }
  process.exitCode = different > 0 ? 1 : 0;
}
