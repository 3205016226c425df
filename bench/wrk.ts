/** wrk as the source of requests. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { LOAD_CPU } from "./programs.ts";
import type { WrkLoad } from "./works/work.ts";

/** What a load has brought. */
export interface Loaded {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
}

/** Runs wrk for so many seconds; `folder` takes its script. */
export async function runWrk(load: WrkLoad, port: number, seconds: number, folder: string): Promise<Loaded> {
  const isClosing = load.isClosing === true;
  const args = ["-c", String(LOAD_CPU), "wrk", "-t1", `-c${load.connections}`, `-d${seconds}s`];
  if (isClosing) args.push("-H", "Connection: close");
  for (const header of load.headers ?? []) args.push("-H", header);
  if (load.bodyBytes !== undefined) {
    const script = path.join(folder, "post.lua");
    const type = 'wrk.headers["Content-Type"] = "application/octet-stream"';
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${load.bodyBytes})\n${type}\n`);
    args.push("-s", script);
  }
  const wrk = spawn("taskset", [...args, `http://127.0.0.1:${port}${load.uri}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  wrk.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const status = await new Promise((resolve) => wrk.once("exit", resolve));
  if (status !== 0) throw new Error(`wrk ended with status ${status}`);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const non2xx = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  // With "Connection: close" wrk counts the server's close as a read error: only connects and time-outs are failures.
  const socketErrors =
    errors === null
      ? 0
      : Number(errors[1]) + Number(errors[4]) + (isClosing ? 0 : Number(errors[2]) + Number(errors[3]));
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
    failed: non2xx + socketErrors,
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
  };
}
