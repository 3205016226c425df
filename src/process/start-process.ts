/** Starts programs: Node tells some failures of fork and exec as events and throws the others (ENOMEM, ENOTDIR, ETXTBSY); here all are events. */
import { ChildProcess } from "node:child_process";

/** What `start` returns; when nothing could be started, a process without pid that emits `error` in a moment. */
export function startProcess(start: () => ChildProcess): ChildProcess {
  let child: ChildProcess;
  try {
    child = start();
  } catch (error) {
    child = new ChildProcess();
    setImmediate(() => child.emit("error", error));
  }
  // Node's own would send the signal to process 0: the caller and its whole group.
  if (child.pid === undefined) child.kill = () => false;
  return child;
}
