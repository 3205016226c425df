/** A client of the pair: asks the virtual address again and again, and knows which node has answered when. */
import type { AgentHandle } from "./agent-handle.ts";
import { type Attempt, attemptOf, type ClientView, clientView } from "./observation.ts";
import type { NodeName } from "./plan.ts";
import type { ProbeSettings } from "./protocol.ts";
import { nowMs, sleepMs } from "./time.ts";

const TAKE_RESULTS_EVERY_MS = 25;
/** How long one node alone must have answered before a scenario begins. */
export const CALM_MS = 150;
/** Attempts that are looked at for that: more than are made in the time. */
const RECENT_ATTEMPTS = 100;

export class Client {
  readonly #agent: AgentHandle;
  readonly #attempts: Attempt[] = [];
  #pages: ReadonlyMap<string, NodeName> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isTaking = false;

  constructor(agent: AgentHandle) {
    this.#agent = agent;
  }

  /** Begins to ask; `pages` tell the nodes apart by what they answer. */
  async begin(probe: ProbeSettings, pages: ReadonlyMap<string, NodeName>): Promise<void> {
    this.#pages = pages;
    await this.#agent.call("startProbe", probe);
    this.#timer ??= setInterval(() => void this.#takeResults(), TAKE_RESULTS_EVERY_MS);
  }

  async end(): Promise<void> {
    await this.#agent.call("stopProbe");
    this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The last answer since then; undefined: there is none. */
  lastAnswer(sinceMs: number): Attempt | undefined {
    const last = this.#attempts.findLast((attempt) => attempt.failure === undefined);
    return last === undefined || last.endMs < sinceMs ? undefined : last;
  }

  /** True when the last `CALM_MS`, all of them after `sinceMs`, knew no failure and one answering node only. */
  isCalm(node: NodeName, sinceMs = 0): boolean {
    const since = nowMs() - CALM_MS;
    if (since < sinceMs) return false;
    const recent = this.#attempts.slice(-RECENT_ATTEMPTS).filter(({ endMs }) => endMs >= since);
    const isOnes = (attempt: Attempt): boolean => attempt.failure === undefined && (attempt.node ?? node) === node;
    return recent.length >= 5 && recent.every(isOnes);
  }

  /** What it has seen between two instants; the attempts of the last moments are waited for, each for so long at most. */
  async view(fromMs: number, toMs: number, timeoutMs: number): Promise<ClientView> {
    await sleepMs(Math.max(0, toMs + timeoutMs + 2 * TAKE_RESULTS_EVERY_MS - nowMs()));
    return clientView(this.#attempts, fromMs, toMs);
  }

  async #takeResults(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      const results = await this.#agent.call("takeProbeResults");
      for (const result of results) this.#attempts.push(attemptOf(result, this.#pages));
    } catch {
      this.close(); // the agent has ended: whoever waits for results is told by the call that failed
    } finally {
      this.#isTaking = false;
    }
  }
}
