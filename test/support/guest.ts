/**
 * What a test file has opened must not outlive it: a `before` that fails in its middle leaves `after` nothing to close, and the file would
 * wait for its own back ends until it is ended from outside.
 */
import type { ChildProcess } from "node:child_process";
import type net from "node:net";
import type { Readable } from "node:stream";

/** A program that this process neither waits for nor leaves behind. SIGTERM: a master takes its workers along. */
export function guest(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) (stream as (Readable & Partial<net.Socket>) | null)?.unref?.();
  const end = (): void => {
    child.kill("SIGTERM");
  };
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}
