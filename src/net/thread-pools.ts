/** The directive `thread_pool` of the main context, and what `aio threads` says of a pool. nginx: ngx_thread_pool_module. */
import type { Position } from "../conf/diagnostics.ts";
import type { Scope } from "../conf/scope.ts";
import { confModule, type Report, type Use } from "../conf/slot.ts";
import { fold } from "../conf/slots.ts";
import { parseNumber } from "../conf/units.ts";

/** Nobody needs to declare this one. */
export const DEFAULT_POOL = "default";
const DEFAULT_QUEUE = 65536;

/** One declared pool. */
export interface ThreadPool {
  readonly name: string;
  readonly threads: number;
  readonly maxQueue: number;
}

function parsePool(use: Use, pools: readonly ThreadPool[] = []): readonly ThreadPool[] | undefined {
  const [name = "", ...parameters] = use.args;
  if (pools.some((pool) => pool.name === name)) return use.fail(`duplicate thread pool "${name}"`);
  let threads = 0;
  let maxQueue = DEFAULT_QUEUE;
  // What is neither of the two is passed over, as nginx does.
  for (const parameter of parameters) {
    if (parameter.startsWith("threads=")) {
      threads = parseNumber(parameter.slice("threads=".length)) ?? 0;
      if (threads === 0) return use.fail(`invalid threads value "${parameter}"`);
    } else if (parameter.startsWith("max_queue=")) {
      const parsed = parseNumber(parameter.slice("max_queue=".length));
      if (parsed === undefined) return use.fail(`invalid max_queue value "${parameter}"`);
      maxQueue = parsed;
    }
  }
  if (threads === 0) return use.fail('"thread_pool" must have "threads" parameter');
  return [...pools, { name, threads, maxQueue }];
}

export const threadPoolModule = confModule({
  name: "thread_pool",
  contexts: "main",
  directives: {
    thread_pool: fold<readonly ThreadPool[], readonly ThreadPool[]>([], parsePool, {
      args: [2, 3],
      syntax: "name threads=number [max_queue=number]",
      doc: "Accepted without effect: a pool of threads for `aio threads`.",
    }),
  },
});

/** Reports a pool that nobody has declared; `at` is where it is named. */
export function checkThreadPool(name: string, at: Position | undefined, scope: Scope, report: Report): void {
  let main = scope;
  while (main.parent !== undefined) main = main.parent;
  const pools = main.own(threadPoolModule).thread_pool ?? [];
  if (name === DEFAULT_POOL || pools.some((pool) => pool.name === name)) return;
  report("emerg", `unknown thread pool "${name}"`, at);
}
