/** What a node runs: Tandem, or the original programs that it stands in for. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { SpawnSettings } from "./protocol.ts";

export type FlavourName = "tandem" | "keepalived";

export interface Flavour {
  readonly name: FlavourName;
  /** In reports, `nginx + keepalived`. */
  readonly title: string;
  /** The programs of a node, in the order in which they are started; stopping is the other way round. */
  readonly programs: readonly SpawnSettings[];
  /** The signal that stops each program gracefully. */
  readonly stopSignal: NodeJS.Signals;
}

const NGINX_CONF = "/etc/nginx/nginx.conf";
const KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf";
/** The checkout: this file is dist/src/lab/flavours.js in it. */
export const CHECKOUT = path.resolve(fileURLToPath(import.meta.url), "../../../..");
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function environment(extra: string): Record<string, string> {
  return {
    PATH: extra === "" ? SYSTEM_PATH : `${extra}:${SYSTEM_PATH}`,
    HOME: "/root",
    TMPDIR: "/run/tmp",
    LANG: "C.UTF-8",
  };
}

/** A node that runs this checkout. Its `nginx` and `keepalived` are Tandem's, for the scripts that call them. */
function tandem(): Flavour {
  const bin = path.join(CHECKOUT, "bin");
  const env = environment(`${bin}:${path.dirname(process.execPath)}`);
  const up = [path.join(bin, "tandem"), "up", "--nginx", NGINX_CONF, "--keepalived", KEEPALIVED_CONF];
  const argv = [process.execPath, ...up, "--prefix", "/etc/nginx", "--error-log", "stderr"];
  return { name: "tandem", title: "Tandem", programs: [{ name: "tandem", argv, env }], stopSignal: "SIGTERM" };
}

/** A node that runs the nginx and keepalived of this machine. */
function originals(nginx: string, keepalived: string): Flavour {
  const env = environment("");
  return {
    name: "keepalived",
    title: "nginx + keepalived",
    programs: [
      { name: "nginx", argv: [nginx, "-p", "/etc/nginx/", "-c", NGINX_CONF, "-g", "daemon off;"], env },
      { name: "keepalived", argv: [keepalived, "-n", "-l", "-D", "-f", KEEPALIVED_CONF], env },
    ],
    stopSignal: "SIGTERM",
  };
}

/** The flavour of this name, or one sentence that says why a node can't have it. */
export function flavourOf(name: FlavourName): Flavour | string {
  if (name === "tandem") return tandem();
  const nginx = findProgram("nginx");
  const keepalived = findProgram("keepalived");
  const missing = [nginx === undefined ? "nginx" : "", keepalived === undefined ? "keepalived" : ""].filter(
    (word) => word !== "",
  );
  if (nginx === undefined || keepalived === undefined)
    return `a node with the original programs needs ${missing.join(" and ")}, not installed here (apt install ${missing.join(" ")})`;
  return originals(nginx, keepalived);
}

function findProgram(name: string): string | undefined {
  return SYSTEM_PATH.split(":")
    .map((directory) => path.join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
