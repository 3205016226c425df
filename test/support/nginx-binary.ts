/** The nginx of this machine, for tests that compare with it. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** `NGINX_BINARY`, or the first `nginx` in the search path or where Debian installs it; undefined when there is none. */
export function findNginx(): string | undefined {
  const given = process.env["NGINX_BINARY"];
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/nginx/sbin"];
  for (const candidate of given === undefined ? folders.map((folder) => path.join(folder, "nginx")) : [given])
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {}
  return undefined;
}

/** A folder in which `nginx -t` looks at configurations. */
export class NginxCheck {
  readonly folder = mkdtempSync(path.join(tmpdir(), "tandem-nginx-"));
  readonly #binary: string;

  constructor(binary: string) {
    this.#binary = binary;
    mkdirSync(path.join(this.folder, "logs"));
  }

  /** The version as numbers, `[1, 22, 1]`. */
  version(): number[] {
    const { stderr } = spawnSync(this.#binary, ["-v"], { encoding: "utf8" });
    return (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(stderr) ?? []).slice(1).map(Number);
  }

  write(name: string, text: string): string {
    const file = path.join(this.folder, name);
    writeFileSync(file, text, "latin1");
    return file;
  }

  /** Messages that it prints about the file, without its own name in front. */
  test(file: string): string[] {
    const args = ["-t", "-q", "-e", path.join(this.folder, "logs/error.log"), "-p", this.folder, "-c", file];
    const { stderr } = spawnSync(this.#binary, args, { encoding: "latin1", timeout: 10_000 });
    // A message may hold line feeds, when a quoted word of the file did.
    return stderr
      .split(/^nginx: /m)
      .slice(1)
      .map((message) => message.replace(/\n$/, ""));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
