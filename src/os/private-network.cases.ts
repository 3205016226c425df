/**
 * Tests that need a network of their own: the test file starts itself again inside fresh namespaces, where it is root and
 * has nothing but a loopback link. Skips with the kernel's reason where that is not permitted.
 */
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { mountFileSystem } from "./ffi/mount.ts";

const MARK = "TANDEM_PRIVATE_NETWORK";

/** Calls `define` in a process that has its own network (and mount) namespace; `url` is the test file's `import.meta.url`. */
export function inPrivateNetwork(url: string, define: () => void): void {
  if (process.env[MARK] === "1") {
    mountFileSystem("sysfs", "/sys"); // the old one shows the links of the namespace that it was mounted in
    define();
    return;
  }
  const namespaces = ["--net", "--mount"];
  if (process.getuid?.() !== 0) namespaces.push("--user", "--map-root-user");
  const attempt = spawnSync("unshare", [...namespaces, "true"], { encoding: "utf8" });
  if (attempt.status !== 0) {
    const reason = attempt.error?.message ?? attempt.stderr.trim();
    test("the tests of this file", { skip: `no private network: ${reason}` }, () => {});
    return;
  }
  // The test runner reads the results from the standard output, whoever writes them.
  const result = spawnSync("unshare", [...namespaces, process.execPath, ...process.execArgv, fileURLToPath(url)], {
    stdio: "inherit",
    env: { ...process.env, [MARK]: "1" },
  });
  process.exitCode = result.status ?? 1;
}
