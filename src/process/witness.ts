/**
 * Witnesses of `split_brain_policy safe`, asked by the supervisor: something elsewhere that answers over TCP, HTTP or DNS, or an etcd
 * whose lease one node at a time can hold. An answer counts from the instant of its question.
 */
import { Resolver } from "node:dns/promises";
import { request } from "node:http";
import { connect } from "node:net";
import type { SplitBrainSettings, Witness } from "../conf/keepalived/config.ts";
import { EtcdLease } from "./etcd-lease.ts";

/** Questions within the time for which an answer counts. */
const QUESTIONS = 3;

export interface WitnessHooks {
  /** CLOCK_MONOTONIC, as the VRRP process has it. */
  now(): number;
  /** An answer counts until then. */
  onAnswer(untilMs: number): void;
  /** It answers no longer, or again; `why` undefined: it does. */
  onChange(why: string | undefined): void;
}

/** Asks one witness, again and again, until it is closed. */
export class WitnessWatch {
  readonly #witness: Witness;
  readonly #validMs: number;
  readonly #hooks: WitnessHooks;
  readonly #lease: EtcdLease | undefined;
  readonly #timer: NodeJS.Timeout;
  #isAsking = false;
  #isWanted = false;
  #why: string | undefined = "not asked yet";

  /** `node`: what the lease says about its holder. */
  constructor(witness: Witness, { validMs }: SplitBrainSettings, node: string, hooks: WitnessHooks) {
    this.#witness = witness;
    this.#validMs = validMs;
    this.#hooks = hooks;
    this.#lease = witness.kind === "etcd" ? new EtcdLease(witness, validMs, node) : undefined;
    this.#timer = setInterval(() => void this.#ask(), validMs / QUESTIONS);
    this.#timer.unref();
    void this.#ask();
  }

  /** A lease is held only while it is wanted. */
  want(isWanted: boolean): void {
    if (this.#lease === undefined || this.#isWanted === isWanted) return;
    this.#isWanted = isWanted;
    if (isWanted) void this.#ask();
    else this.#lease.release();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#lease?.release();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || (this.#lease !== undefined && !this.#isWanted)) return;
    this.#isAsking = true;
    const askedMs = this.#hooks.now();
    const timeoutMs = this.#validMs / QUESTIONS;
    try {
      if (this.#lease === undefined) await askWitness(this.#witness, timeoutMs);
      else await this.#lease.hold(timeoutMs);
      if (this.#lease === undefined || this.#isWanted) this.#hooks.onAnswer(askedMs + this.#validMs);
      this.#tell(undefined);
    } catch (error) {
      this.#tell((error as Error).message);
    } finally {
      this.#isAsking = false;
    }
  }

  #tell(why: string | undefined): void {
    if ((why === undefined) === (this.#why === undefined)) return;
    this.#why = why;
    this.#hooks.onChange(why);
  }
}

/** Resolves when it answers; rejects with a sentence. */
export function askWitness(witness: Witness, timeoutMs: number): Promise<void> {
  switch (witness.kind) {
    case "dns":
      return askDns(witness, timeoutMs);
    case "http":
      return askHttp(witness, timeoutMs);
    default:
      return askTcp(witness, timeoutMs);
  }
}

function askTcp({ host, port }: Witness, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: AbortSignal.timeout(timeoutMs) });
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

/** Any answer below 400 is one: who can't serve is no witness. */
function askHttp({ host, port, path }: Witness, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const { statusCode = 0 } = answer;
      answer.on("error", () => {}); // what it would have said does not matter
      asked.destroy();
      if (statusCode < 400) resolve();
      else reject(new Error(`answered ${statusCode}`));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** That there is no such name is an answer, too. */
async function askDns({ host, port, path }: Witness, timeoutMs: number): Promise<void> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  resolver.setServers([host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`]);
  try {
    await resolver.resolve4(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTFOUND" && code !== "ENODATA") throw error;
  }
}
