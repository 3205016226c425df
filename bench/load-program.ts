/** Our own load programs as child processes on the processor of the load. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LOAD_CPU } from "./programs.ts";

/** The compiled file of a load program. */
export const loadProgram = (name: string): string => fileURLToPath(new URL(`./load/${name}.js`, import.meta.url));

/** Runs a load program to its end. Resolves to the last line that it has printed. */
export async function runLoadProgram(name: string, args: readonly (string | number)[]): Promise<string> {
  const words = ["-c", String(LOAD_CPU), process.execPath, loadProgram(name), ...args.map(String)];
  const child = spawn("taskset", words, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  if (status !== 0) throw new Error(`${name} ended with status ${status}`);
  return text.trimEnd().split("\n").at(-1) ?? "";
}
