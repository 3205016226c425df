/** mount(2): private views of the file system for processes in a mount namespace of their own. */
import { errno, native } from "./native.ts";

const MS_BIND = 0x1000;
const MS_REC = 0x4000;

const mount = native<
  (source: string, target: string, type: string | null, flags: bigint, data: string | null) => number
>("int mount(const char *source, const char *target, const char *type, uint64_t flags, const char *data)");

/** Mounts a new file system, `tmpfs` or `sysfs`, on an existing directory. 0 or -errno. */
export function mountFileSystem(type: string, target: string, options: string | null = null): number {
  return mount(type, target, type, 0n, options) === 0 ? 0 : -errno();
}

/** Shows a directory or file with everything mounted below it in another place as well. 0 or -errno. */
export function mountBind(source: string, target: string): number {
  return mount(source, target, null, BigInt(MS_BIND | MS_REC), null) === 0 ? 0 : -errno();
}
