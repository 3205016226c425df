import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { printUnit, runInstallService } from "./install-service.ts";

test("the unit starts both halves with absolute paths and quotes what systemd would split", () => {
  const unit = printUnit({
    node: "/usr/bin/node",
    program: "/opt/my tandem/bin/tandem",
    nginx: "/etc/nginx/nginx.conf",
    keepalived: "/etc/keepalived/100%.conf",
  });
  assert.match(
    unit,
    /^ExecStart=\/usr\/bin\/node "\/opt\/my tandem\/bin\/tandem" up --nginx \/etc\/nginx\/nginx\.conf --keepalived \/etc\/keepalived\/100%%\.conf$/m,
  );
  assert.match(unit, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
});

test("the unit of a node without VRRP names only the HTTP half", () => {
  const unit = printUnit({ node: "/n", program: "/t", nginx: "/x.conf", keepalived: undefined });
  assert.match(unit, /^ExecStart=\/n \/t up --nginx \/x\.conf$/m);
});

test("a unit is written where it is asked for, and an unreadable configuration is refused", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tandem-unit-"));
  try {
    const conf = path.join(folder, "nginx.conf");
    writeFileSync(conf, "events {}\n");
    const unit = path.join(folder, "tandem.service");
    assert.equal(await runInstallService(["--nginx", conf, "--keepalived", conf, "--unit", unit, "--no-enable"]), 0);
    assert.match(readFileSync(unit, "utf8"), /WantedBy=multi-user\.target/);
    assert.equal(
      await runInstallService(["--nginx", path.join(folder, "missing.conf"), "--unit", unit, "--no-enable"]),
      1,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
