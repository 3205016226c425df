import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { goldenCases, normalise } from "../conf/keepalived/golden.cases.ts";

/** One case in so many is tried, because a run of keepalived takes its time; TANDEM_ALL_CASES=1 tries all. */
const STRIDE = process.env["TANDEM_ALL_CASES"] === undefined ? 8 : 1;
const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

/** Interfaces as the golden files have them, in a network namespace that ends with the shell. */
const NETWORK = `
ip link add eth0 type veth peer name peer0 && ip link add eth1 type veth peer name peer1 &&
ip addr add 192.168.50.133/24 dev eth0 && ip addr add 10.0.0.1/24 dev eth1 || exit 77
for i in lo eth0 eth1 peer0 peer1; do ip link set $i up; done
cd "$1"
for f in *.conf; do IFN=eth0 timeout 10 keepalived -t -i node -f $f > $f.out 2>&1; echo "--- $?" >> $f.out; done
`;

function version(): string | undefined {
  const { stdout, stderr, error } = spawnSync("keepalived", ["-v"], { env: { PATH }, encoding: "utf8" });
  return error === undefined ? /Keepalived v(\S+)/.exec(stdout + stderr)?.[1] : undefined;
}

const skip = version() === "2.2.7" ? false : "keepalived 2.2.7 is not installed";

test("the real keepalived says what the golden files say", { skip }, (context) => {
  const cases = goldenCases().filter((_, index) => index % STRIDE === 0);
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-golden-"));
  try {
    for (const [index, { text }] of cases.entries()) writeFileSync(path.join(folder, `c${index}.conf`), text);
    const root = process.getuid?.() === 0 ? [] : ["--map-root-user"];
    const args = [...root, "--net", "sh", "-c", NETWORK, "sh", folder];
    const run = spawnSync("unshare", args, { env: { PATH }, encoding: "utf8" });
    if (run.error !== undefined || run.status !== 0) {
      context.skip(`no network namespace here: ${run.error?.message ?? run.stderr.trim()}`);
      return;
    }
    for (const [index, { name, exitStatus, messages }] of cases.entries()) {
      const file = `c${index}.conf`;
      const lines = readFileSync(path.join(folder, `${file}.out`), "utf8")
        .trimEnd()
        .split("\n");
      assert.equal(lines.pop(), `--- ${exitStatus}`, name);
      assert.deepEqual(normalise(lines, file), messages, name);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
