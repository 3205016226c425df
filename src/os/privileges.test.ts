/** These change the process that calls them: each runs in a child. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { findGroup, findUser } from "./accounts.ts";

const modules = ["privileges", "process-title"].map((name) => new URL(`./${name}.js`, import.meta.url).href);

/** What a child prints that runs this code with everything imported from the modules above. */
function inChild(code: string): string {
  const imports = modules.map((url, index) => `import * as m${index} from ${JSON.stringify(url)};`).join("\n");
  const script = `${imports}
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
const { setOpenFilesLimit, setCoreLimit, setPriority, setAffinity, becomeUser, keepCapabilities, onlyNetRaw, openFilesLimit, setProcessTitle } = { ...m0, ...m1 };
${code}`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(child.stderr, "");
  return child.stdout.trim();
}

const skip = process.getuid?.() !== 0 && "needs root";

test("limits, priority and processors are those that were asked for", () => {
  assert.equal(
    inChild(`setOpenFilesLimit(123); setCoreLimit(4096); setPriority(3);
      const { soft, hard } = openFilesLimit();
      const limits = readFileSync("/proc/self/limits", "utf8");
      console.log(soft, hard, /core file size +4096 +4096/.test(limits), execFileSync("nice", { encoding: "utf8" }).trim());`),
    "123n 123n true 3",
  );
  assert.equal(
    inChild(
      `setAffinity([0]); console.log(/Cpus_allowed_list:\\t(.*)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);`,
    ),
    "0",
  );
  assert.equal(
    inChild(`try { setAffinity([4000]); } catch (error) { console.log(error.message); }`),
    "sched_setaffinity() failed (22: Invalid argument)",
  );
});

test("becomeUser leaves nothing of root", { skip }, () => {
  const user = findUser("nobody");
  assert.ok(user !== undefined);
  assert.equal(
    inChild(`becomeUser("nobody", ${user.userId}, ${user.groupId});
      let back = "";
      try { process.setuid(0); back = "root again"; } catch {}
      console.log(process.getuid(), process.geteuid(), process.getgid(), process.getgroups().join(), back);`),
    `${user.userId} ${user.userId} ${user.groupId} ${user.groupId}`,
  );
});

test("a worker that binds foreign addresses keeps CAP_NET_RAW and nothing else of root", { skip }, () => {
  const user = findUser("nobody");
  assert.ok(user !== undefined);
  const rights = `console.log(/CapPrm:\\t(\\w+)\\nCapEff:\\t(\\w+)/.exec(readFileSync("/proc/self/status", "utf8")).slice(1).join());`;
  const become = `becomeUser("nobody", ${user.userId}, ${user.groupId});`;
  const netRaw = "0000000000002000";
  assert.equal(inChild(`keepCapabilities(); ${become} onlyNetRaw(); ${rights}`), `${netRaw},${netRaw}`);
  const none = "0000000000000000";
  assert.equal(inChild(`${become} ${rights}`), `${none},${none}`);
});

test("accounts are found by name", () => {
  assert.deepEqual(findUser("root"), { name: "root", userId: 0, groupId: 0 });
  assert.equal(findGroup("root"), 0);
  assert.equal(findUser("nobody-at-all"), undefined);
  assert.equal(findGroup("nobody-at-all"), undefined);
});

test("a process in a session of its own has no terminal; one under script(1) has", () => {
  const url = JSON.stringify(modules[1]);
  const code = `import { hasTerminal } from ${url}; process.stdout.write(String(hasTerminal()));`;
  const alone = spawnSync("setsid", ["-w", process.execPath, "--input-type=module", "-e", code], { encoding: "utf8" });
  assert.equal(alone.stdout, "false");
  const command = `"${process.execPath}" --input-type=module -e '${code.replaceAll("'", "'\\''")}'`;
  const under = spawnSync("script", ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (under.error === undefined) assert.match(under.stdout, /true/);
});

test("ps finds the process by the short name, and shows the long title", () => {
  assert.equal(
    inChild(`setProcessTitle("nginx: it is me", "nginx");
      console.log(readFileSync("/proc/self/comm", "utf8").trim(), "|", readFileSync("/proc/self/cmdline", "utf8").split("\\0")[0]);`),
    "nginx | nginx: it is me",
  );
});
