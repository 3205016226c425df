/** A file system of a few hundred kilobytes that can be filled and freed. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const PAGE_BYTES = 4096;

function mount(folder: string, sizeBytes: number): string | undefined {
  const options = `size=${sizeBytes},mode=777`;
  const { error, status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : String(error?.message ?? stderr).trim();
}

export class SmallDisk {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), "small-disk-"));
  private readonly sizeBytes: number;

  /** `folders` are made on it, for everybody to write in. Throws where mounting is not permitted. */
  constructor(sizeBytes: number, folders: readonly string[]) {
    this.sizeBytes = sizeBytes;
    const failure = mount(this.folder, sizeBytes);
    if (failure !== undefined) throw new Error(failure);
    for (const name of folders) {
      mkdirSync(this.file(name));
      chmodSync(this.file(name), 0o777);
    }
  }

  /** Why there can be none here; undefined when there can. */
  static refusal(): string | undefined {
    try {
      new SmallDisk(PAGE_BYTES, []).remove();
      return undefined;
    } catch (error) {
      return `no tmpfs can be mounted: ${(error as Error).message}`;
    }
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** Undefined when there is no such file. */
  sizeOf(name: string): number | undefined {
    return existsSync(this.file(name)) ? statSync(this.file(name)).size : undefined;
  }

  read(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), "latin1") : "";
  }

  /** Takes everything but so many bytes of the whole. */
  fill(leaveBytes = 0): void {
    this.free();
    try {
      for (let used = leaveBytes; used < this.sizeBytes; used += PAGE_BYTES)
        writeFileSync(this.file("filler"), Buffer.alloc(PAGE_BYTES), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  free(): void {
    rmSync(this.file("filler"), { force: true });
  }

  remove(): void {
    spawnSync("umount", ["-l", this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
