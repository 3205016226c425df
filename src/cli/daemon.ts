/**
 * `daemon on`: node can't fork, so the program is started again, detached, and this process waits for its word. It ends with
 * status 0 only when the daemon accepts connections, otherwise with the daemon's own status: whoever started it learns the truth.
 */
import { spawn } from "node:child_process";

/** Tells a program that it is the daemon already. */
const DAEMON_VARIABLE = "TANDEM_DAEMON";

/** True in the detached process. */
export function isDaemonChild(): boolean {
  return process.env[DAEMON_VARIABLE] !== undefined;
}

/** Starts this program again as a daemon, in a session of its own, and returns the exit status for this process. */
export function becomeDaemon(): Promise<number> {
  const daemon = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, [DAEMON_VARIABLE]: "1" },
  });
  return new Promise((resolve) => {
    daemon.on("message", () => {
      daemon.unref();
      daemon.disconnect();
      resolve(0);
    });
    daemon.on("exit", (code) => resolve(code ?? 1));
    daemon.on("error", () => resolve(1));
  });
}

/** Lets the process that waits for this daemon go. */
export function tellReady(): void {
  if (isDaemonChild() && process.connected) process.send?.("ready");
}
