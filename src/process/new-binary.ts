/** Binary upgrade: a new program takes over the listening sockets. nginx: ngx_exec_new_binary, ngx_add_inherited_sockets. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "../base/log.ts";
import { startProcess } from "./start-process.ts";

/** The variable that tells a new binary which of its descriptors listen: `3;4;`. nginx's own name for it. */
export const INHERITED_VARIABLE = "NGINX";
/** Descriptors 0–2 are the standard ones. */
const FIRST_FD = 3;

/** How the program was started: what a new binary is started with. */
export interface Invocation {
  readonly program: string;
  readonly args: readonly string[];
}

/** Starts the new program with these listening descriptors; it runs on when this process ends. */
export function startNewBinary(
  { program, args }: Invocation,
  fds: readonly number[],
  environment: NodeJS.ProcessEnv,
): ChildProcess {
  const variable = fds.map((_, index) => `${FIRST_FD + index};`).join("");
  const child = startProcess(() =>
    spawn(program, args, {
      stdio: ["inherit", "inherit", "inherit", ...fds],
      env: { ...environment, [INHERITED_VARIABLE]: variable },
    }),
  );
  child.unref();
  return child;
}

/** The descriptors that the variable names. A word that is no number ends the list. */
export function inheritedFds(variable: string, log: Log): number[] {
  log.write("notice", `using inherited sockets from "${variable}"`);
  const fds: number[] = [];
  const words = variable.split(/[:;]/);
  const rest = words.pop();
  for (const word of words) {
    if (!/^\d{1,9}$/.test(word)) {
      log.write(
        "emerg",
        `invalid socket number "${word}" in ${INHERITED_VARIABLE} environment variable, ignoring the rest of the variable`,
      );
      return fds;
    }
    fds.push(Number(word));
  }
  if (rest !== "") {
    log.write("emerg", `invalid socket number "${rest}" in ${INHERITED_VARIABLE} environment variable, ignoring`);
  }
  return fds;
}
