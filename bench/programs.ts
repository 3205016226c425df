/** The programs that a bench compares: nginx, Tandem, and haproxy where it is installed. */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import type { ServerProgram } from "./server.ts";

export interface Programs {
  /** What everything is measured against, and the back end of proxied requests. */
  readonly nginx: ServerProgram;
  readonly tandem: ServerProgram;
  readonly haproxy: ServerProgram | undefined;
}

/** Processors: servers under test have one to themselves; load, generators and back ends share the other. */
export const SERVER_CPU = 0;
export const LOAD_CPU = cpus().length > 1 ? 1 : 0;

/** How long and how often each work is measured. */
export interface Effort {
  readonly seconds: number;
  readonly rounds: number;
  /** Text for the `events` block of Tandem's configurations alone: `use …;`. */
  readonly tandemEvents: string;
}

/** Finds the programs; a sentence when one that is needed is missing. */
export function findPrograms(nginx: string, tandem: string): Programs | string {
  const nginxVersion = version(nginx, /nginx\/[\d.]+/);
  if (nginxVersion === undefined) return `${nginx} is not installed here (Debian: apt-get install nginx-light)`;
  for (const tool of ["wrk", "taskset"])
    if (spawnSync(tool, ["--version"]).error !== undefined)
      return `${tool} is not installed here (Debian: apt-get install wrk util-linux)`;
  const haproxyVersion = version("haproxy", /\d+\.\d+\.\d+/);
  return {
    nginx: { name: nginxVersion, binary: nginx, kind: "nginx" },
    tandem: { name: "Tandem", binary: tandem, kind: "nginx" },
    haproxy:
      haproxyVersion === undefined
        ? undefined
        : { name: `haproxy/${haproxyVersion}`, binary: "haproxy", kind: "haproxy" },
  };
}

function version(binary: string, pattern: RegExp): string | undefined {
  const said = spawnSync(binary, ["-v"], { encoding: "utf8" });
  return said.error === undefined ? (pattern.exec(said.stderr + said.stdout)?.[0] ?? binary) : undefined;
}
