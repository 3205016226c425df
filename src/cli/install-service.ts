/** `tandem install-service`: start at boot. Writes a systemd unit for `tandem up` and enables it. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `usage: tandem install-service [--nginx FILE] [--keepalived FILE] [--unit FILE] [--print] [--no-enable]

  --nginx FILE       configuration of the HTTP half (default /etc/nginx/nginx.conf, if it exists)
  --keepalived FILE  configuration of the VRRP half (default /etc/keepalived/keepalived.conf, if it exists)
  --unit FILE        where the unit goes (default /etc/systemd/system/tandem.service)
  --print            print the unit and change nothing
  --no-enable        write the unit, but do not enable it
`;

export interface Service {
  readonly node: string;
  readonly program: string;
  readonly nginx: string | undefined;
  readonly keepalived: string | undefined;
}

/** A word of a unit's command line, quoted as systemd.service(5) asks. */
function unitWord(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$");
  return /[\s"\\;]/.test(escaped) ? `"${escaped}"` : escaped;
}

/** The text of the systemd unit. `tandem up` reports its own pid as the main one; a reload checks the files first. */
export function printUnit({ node, program, nginx, keepalived }: Service): string {
  const halves = [
    ...(nginx === undefined ? [] : ["--nginx", nginx]),
    ...(keepalived === undefined ? [] : ["--keepalived", keepalived]),
  ];
  const command = [node, program, "up", ...halves].map(unitWord).join(" ");
  return `[Unit]
Description=Tandem, highly available load balancer
Wants=network-online.target
After=network-online.target nss-lookup.target
Conflicts=nginx.service keepalived.service

[Service]
Type=exec
ExecStart=${command}
ExecReload=/bin/kill -HUP $MAINPID
# A graceful stop: the partner takes the addresses first, then running requests end.
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=30
Restart=always
RestartSec=1
LimitNOFILE=1048576
LimitRTPRIO=99
LimitMEMLOCK=infinity
OOMScoreAdjust=-500
# A process that the kernel kills for its memory is replaced by the others.
OOMPolicy=continue
# Where the flight recorder is saved.
StateDirectory=tandem/flights

[Install]
WantedBy=multi-user.target
`;
}

function existing(file: string): string | undefined {
  return existsSync(file) ? file : undefined;
}

/** Runs the command; returns the exit status. */
export async function runInstallService(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nginx: { type: "string" },
      keepalived: { type: "string" },
      unit: { type: "string", default: "/etc/systemd/system/tandem.service" },
      print: { type: "boolean", default: false },
      "no-enable": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const nginx = values.nginx ?? existing("/etc/nginx/nginx.conf");
  const keepalived = values.keepalived ?? existing("/etc/keepalived/keepalived.conf");
  if (nginx === undefined && keepalived === undefined) {
    process.stderr.write("tandem: name at least one configuration: --nginx FILE or --keepalived FILE\n");
    return 2;
  }
  for (const file of [nginx, keepalived]) {
    if (file === undefined) continue;
    try {
      accessSync(file, constants.R_OK);
    } catch {
      process.stderr.write(`tandem: cannot read ${file}\n`);
      return 1;
    }
  }
  const unit = printUnit({
    node: process.execPath,
    program: fileURLToPath(new URL("../../../bin/tandem", import.meta.url)),
    nginx: nginx === undefined ? undefined : path.resolve(nginx),
    keepalived: keepalived === undefined ? undefined : path.resolve(keepalived),
  });
  if (values.print) {
    process.stdout.write(unit);
    return 0;
  }
  return install(values.unit, unit, !values["no-enable"]);
}

function install(file: string, unit: string, enable: boolean): number {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, unit);
  } catch (error) {
    process.stderr.write(`tandem: cannot write ${file}: ${(error as Error).message}\n`);
    return 1;
  }
  process.stdout.write(`wrote ${file}\n`);
  if (!enable) return 0;
  if (!existsSync("/run/systemd/system")) {
    process.stderr.write("tandem: systemd is not running here; enable it later: systemctl enable --now tandem\n");
    return 0;
  }
  for (const command of [["daemon-reload"], ["enable", path.basename(file)]]) {
    const result = spawnSync("systemctl", command, { stdio: "inherit" });
    if (result.status !== 0) return 1;
  }
  process.stdout.write(
    `enabled ${path.basename(file)}; start it now: systemctl start ${path.basename(file, ".service")}\n`,
  );
  return 0;
}
