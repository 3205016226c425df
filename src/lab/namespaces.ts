/** The lab's own namespaces: it starts itself again inside them, because Node cannot enter one. */
import { spawn, spawnSync } from "node:child_process";

const MARK = "TANDEM_LAB_INSIDE";
/** The privileged parts that a node's agent needs: tried at once, so that the reason is known before anything is built. */
const TRIAL = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"];

/** True in the process that has been started inside. */
export function isInside(): boolean {
  return process.env[MARK] !== undefined;
}

/** True inside a user namespace: an ordinary user's lab. */
export function isUserNamespace(): boolean {
  return process.env[MARK] === "user";
}

function options(): readonly string[] {
  const asUser = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return [...asUser, "--net", "--mount"];
}

/** One sentence that says what is missing for a rehearsal on this machine; undefined when nothing is. */
export function whyNot(): string | undefined {
  const trial = spawnSync("unshare", [...options(), ...TRIAL], { encoding: "utf8" });
  if (trial.error !== undefined) return `the rehearsal needs the program unshare (util-linux): ${trial.error.message}`;
  if (trial.status === 0) return undefined;
  const reason = trial.stderr.trim().split("\n")[0] ?? "";
  if (process.getuid?.() === 0) return `the rehearsal needs namespaces, which this machine does not permit (${reason})`;
  return (
    "the rehearsal needs root, or user namespaces, which this kernel does not permit to ordinary users " +
    `(${reason}; see sysctl kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces): run it as root`
  );
}

/** Runs this program again inside fresh namespaces, with the same arguments and terminal; resolves with its exit status. */
export function runInside(script: string, args: readonly string[]): Promise<number> {
  const inside = spawn("unshare", [...options(), process.execPath, script, ...args], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [MARK]: process.getuid?.() === 0 ? "root" : "user" },
  });
  const pass = (signal: NodeJS.Signals): void => {
    inside.kill(signal);
  };
  // The terminal tells the whole group; a signal to this process alone has to be passed on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, pass);
  // A series that has died wants no figures any more.
  if (process.connected) process.once("disconnect", () => pass("SIGTERM"));
  return new Promise((resolve, reject) => {
    inside.on("error", reject);
    inside.on("exit", (status, signal) => {
      if (process.connected) process.disconnect();
      resolve(signal === null ? (status ?? 1) : 128);
    });
  });
}
