/** Hears of the end of any process at once, through pidfd_open(2); Linux 5.3. */
import { close } from "./ffi/files.ts";
import { watchReadable } from "./ffi/native.ts";
import { pidfdOpen } from "./ffi/pidfd.ts";

/** Calls back once when the process ends; undefined when it is gone already or the kernel is too old. */
export function watchExit(pid: number, onExit: () => void): { close(): void } | undefined {
  const fd = pidfdOpen(pid);
  if (fd < 0) return undefined;
  let isOpen = true;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    watch.close();
    close(fd);
  };
  const watch = watchReadable(fd, () => {
    end();
    onExit();
  });
  return { close: end };
}
