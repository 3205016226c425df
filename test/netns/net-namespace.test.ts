/** `net_namespace` and `net_namespace_ipvs`: the routers in one namespace, the virtual servers in another. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { CHECKOUT } from "../support/lab.ts";
import { missingForLab, until } from "../support/segment-lab.ts";

const skip = missingForLab(["nft"]) ?? false;
const [ROUTERS, SERVERS] = [`tnr${process.pid}`, `tns${process.pid}`];

function ip(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

test("routers and virtual servers are in the namespaces that the file names, in the foreground and as a daemon", {
  skip,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-netns-"));
  const file = (name: string): string => path.join(folder, name);
  const config = `net_namespace ${ROUTERS}
net_namespace_ipvs ${SERVERS}
vrrp_instance VI_1 {
  interface veth0
  virtual_router_id 33
  version 3
  advert_int 0.1
  virtual_ipaddress {
    192.168.50.130
  }
}
virtual_server 192.168.50.130 80 {
  lvs_sched rr
  lvs_method NAT
  protocol TCP
  real_server 192.168.50.140 80 {
  }
}
`;
  writeFileSync(file("conf"), config);
  try {
    for (const name of [ROUTERS, SERVERS]) ip("netns", "add", name);
    ip("-n", ROUTERS, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
    for (const link of ["lo", "veth0", "veth1"]) ip("-n", ROUTERS, "link", "set", link, "up");
    ip("-n", ROUTERS, "addr", "add", "192.168.50.133/24", "dev", "veth0");
    const holds = () => ip("-n", ROUTERS, "-o", "addr").includes(" 192.168.50.130/");
    const tables = (name: string) => ip("netns", "exec", name, "nft", "list", "tables");
    const paths = ["-p", file("pid"), "-r", file("vrrp.pid"), "-c", file("checkers.pid"), "--status-socket="];
    for (const flags of [["-n"], []]) {
      const program = path.join(CHECKOUT, "bin/keepalived");
      const child = spawn(program, ["-f", file("conf"), "-G", "-l", ...flags, ...paths], { stdio: "ignore" });
      await until("the address", holds);
      await until("the virtual server", () => tables(SERVERS).includes("tandem_lvs"));
      assert.doesNotMatch(tables(ROUTERS), /tandem_lvs/);
      const pid = Number(readFileSync(file("pid"), "latin1"));
      if (flags.length > 0) assert.equal(pid, child.pid, "it is still the process that was started");
      process.kill(pid, "SIGTERM");
      await until("the end", () => !holds() && !tables(SERVERS).includes("tandem_lvs"));
    }
  } finally {
    for (const name of [ROUTERS, SERVERS]) spawnSync("ip", ["netns", "del", name]);
    rmSync(folder, { recursive: true, force: true });
  }
});
