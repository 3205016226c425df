/** Bounds the rate of requests per key, over all workers. nginx: ngx_http_limit_req_module. */
import type { Level } from "../../base/log.ts";
import { keyedZone, LIMIT_LEVELS } from "../../conf/limit-zone.ts";
import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, flag, list, num } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { parseNumber } from "../../conf/units.ts";
import { BUSY, COUNTED, NO_ROOM, PROMISED, type RequestRates } from "../../net/limit-req.ts";
import { MAX_KEY_BYTES } from "../../net/limits.ts";
import { limitsOf } from "../limits.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { AGAIN, DECLINED } from "../outcome.ts";
import type { Request } from "../request.ts";
import type { Text } from "../variables.ts";

/** `$limit_req_status` by number. */
const STATUSES = ["", "PASSED", "DELAYED", "REJECTED", "DELAYED_DRY_RUN", "REJECTED_DRY_RUN"] as const;
const PASSED = 1;
const DELAYED = 2;
const REJECTED = 3;
const DELAYED_DRY_RUN = 4;
const REJECTED_DRY_RUN = 5;

const PURPOSE = "limit_req";
/** Requests are counted in thousandths. */
const UNITS = 1000;

/** `limit_req_zone` */
interface ZoneLine {
  readonly zone: string;
  readonly key: Template;
  /** Thousandths of a request per second. */
  readonly rate: number;
}

/** Thousandths per second in `10r/s`, `10r/m` or `10`; undefined when malformed or 0. */
function parseRate(text: string): number | undefined {
  const unit = /r\/[sm]$/.exec(text)?.[0] ?? "";
  const rate = parseNumber(text.slice(0, text.length - unit.length));
  if (rate === undefined || rate === 0) return undefined;
  return Math.floor((rate * UNITS) / (unit === "r/m" ? 60 : 1));
}

function parseZone(use: Use): ZoneLine | undefined {
  let rate: number | undefined = UNITS;
  const found = keyedZone(use, PURPOSE, "limit_req", (word) => {
    if (!word.startsWith("rate=")) return "unknown";
    rate = parseRate(word.slice("rate=".length));
    return rate === undefined ? `invalid rate "${word}"` : undefined;
  });
  return found === undefined ? undefined : { zone: found.zone.name, key: found.key, rate };
}

/** `limit_req`, in thousandths. */
interface LimitLine {
  readonly zone: string;
  readonly burst: number;
  /** So much is let through at once. */
  readonly delay: number;
}

function parseLimit(use: Use): LimitLine | undefined {
  let zone: string | undefined;
  let burst = 0;
  let delay = 0;
  for (const word of use.args) {
    const [, name = "", value = ""] = /^(zone|burst|delay)=(.*)$/s.exec(word) ?? [];
    if (name === "zone") {
      zone = use.zone(value, 0, PURPOSE)?.name;
      if (zone === undefined) return undefined;
    } else if (word === "nodelay") delay = Number.POSITIVE_INFINITY;
    else if (name === "") return use.fail(`invalid parameter "${word}"`);
    else {
      const number = parseNumber(value);
      if (number === undefined || number === 0) return use.fail(`invalid ${name} value "${word}"`);
      if (name === "burst") burst = number * UNITS;
      else delay = number * UNITS;
    }
  }
  if (zone === undefined) return use.fail(`"${use.name}" must have "zone" parameter`);
  const before = use.scope.own({ directives }).limit_req ?? [];
  if (before.some((other) => other.zone === zone)) return use.fail(`"${use.name}" directive is duplicate`);
  return { zone, burst, delay };
}

const directives = {
  limit_req_zone: list(parseZone, {
    in: "http",
    args: 3,
    syntax: "key zone=name:size rate=rate",
    doc: "Memory in which requests are counted by a key, and the rate at which they are forgotten.",
  }),
  limit_req: list(parseLimit, {
    in: "http, server, location",
    args: [1, 3],
    syntax: "zone=name [burst=number] [nodelay | delay=number]",
    doc: "Refuses or delays requests that come faster than the zone's rate.",
  }),
  limit_req_log_level: choice("error", LIMIT_LEVELS, {
    in: "http, server, location",
    doc: "Severity of the log line about a refusal; delays are one less severe.",
  }),
  limit_req_status: num(503, { min: 400, max: 599, in: "http, server, location", doc: "What refused requests get." }),
  limit_req_dry_run: flag(false, { in: "http, server, location", doc: "Only counts and logs." }),
};

type LimitReqConf = ConfOf<typeof directives>;

/** One limit at work. */
interface Limit {
  readonly name: string;
  readonly rates: RequestRates;
  readonly keyName: string;
  readonly key: Text;
  readonly burst: number;
  readonly delay: number;
}

class RequestLimiter {
  private readonly limits: readonly Limit[];
  private readonly status: number;
  private readonly level: Level;
  private readonly delayLevel: Level;
  private readonly dryRun: boolean;
  private readonly dryRunText: string;

  constructor(conf: LimitReqConf, limits: readonly Limit[]) {
    this.limits = limits;
    this.status = conf.limit_req_status;
    this.level = conf.limit_req_log_level;
    this.delayLevel = LIMIT_LEVELS[Math.max(0, LIMIT_LEVELS.indexOf(conf.limit_req_log_level) - 1)] as Level;
    this.dryRun = conf.limit_req_dry_run;
    this.dryRunText = this.dryRun ? ", dry run" : "";
  }

  readonly handle: Handler = (request) => {
    if (request.main.limits !== undefined && request.main.limits.reqStatus !== 0) return DECLINED;
    const { limits } = this;
    const now = Math.floor(request.connection.worker.ports.reactor.clock.now());
    let result = DECLINED;
    let last = limits.length;
    for (let i = 0; i < limits.length; i++) {
      const found = this.look(request, limits[i] as Limit, now, i === limits.length - 1);
      if (found === DECLINED) continue;
      result = found;
      if (found === PROMISED) continue;
      last = i;
      break;
    }
    if (result === DECLINED) return DECLINED;
    if (result === BUSY || result === NO_ROOM) return this.refuse(request, last, result);
    return this.account(request, last, result === COUNTED, now);
  };

  /** DECLINED when the limit doesn't concern this request. */
  private look(request: Request, { key, rates, burst, name, keyName }: Limit, now: number, isLast: boolean): number {
    const text = key(request);
    if (text === "") return DECLINED;
    const { limits } = request.connection.worker;
    if (text.length > MAX_KEY_BYTES) {
      const message = `the value of the "${keyName}" key is more than ${MAX_KEY_BYTES} bytes: "${text}"`;
      request.connection.logError("error", message);
      return DECLINED;
    }
    limits.setKey(text);
    const found = rates.look(limits.key, text.length, burst, now, isLast);
    if (found === NO_ROOM) {
      request.connection.worker.log.write("alert", `could not allocate node in limit_req zone "${name}"`);
    }
    return found;
  }

  private refuse(request: Request, last: number, reason: number): number {
    const { limits, dryRun } = this;
    if (reason === BUSY && request.location.log.enabled(this.level)) {
      const { rates, name } = limits[last] as Limit;
      const what = `limiting requests${this.dryRunText}, excess: ${printExcess(rates.excess)}`;
      request.connection.logError(this.level, `${what} by zone "${name}"`);
    }
    for (let i = 0; i < last; i++) (limits[i] as Limit).rates.forget();
    limitsOf(request).reqStatus = dryRun ? REJECTED_DRY_RUN : REJECTED;
    return dryRun ? DECLINED : this.status;
  }

  /** Counts the request everywhere; it waits as long as the longest delay of its limits says. */
  private account(request: Request, last: number, isCounted: boolean, now: number): number {
    const { limits } = this;
    let limit = limits[Math.min(last, limits.length - 1)] as Limit;
    let excess = isCounted ? limit.rates.excess : 0;
    let delayMs = limit.rates.delayOf(excess, limit.delay);
    for (let i = last - 1; i >= 0; i--) {
      const other = limits[i] as Limit;
      if (!other.rates.account(now)) continue;
      const otherMs = other.rates.delayOf(other.rates.excess, other.delay);
      if (otherMs <= delayMs) continue;
      delayMs = otherMs;
      excess = other.rates.excess;
      limit = other;
    }
    const state = limitsOf(request);
    if (delayMs === 0) {
      state.reqStatus = PASSED;
      return DECLINED;
    }
    if (request.location.log.enabled(this.delayLevel)) {
      const what = `delaying request${this.dryRunText}, excess: ${printExcess(excess)}`;
      request.connection.logError(this.delayLevel, `${what}, by zone "${limit.name}"`);
    }
    state.reqStatus = this.dryRun ? DELAYED_DRY_RUN : DELAYED;
    if (this.dryRun) return DECLINED;
    state.delay(request, delayMs);
    return AGAIN;
  }
}

/** Whole requests and thousandths. */
function printExcess(excess: number): string {
  return `${Math.floor(excess / UNITS)}.${String(excess % UNITS).padStart(3, "0")}`;
}

function build(conf: LimitReqConf, place: Place): Handler | undefined {
  if (conf.limit_req.length === 0) return undefined;
  const limits = conf.limit_req.map(({ zone, burst, delay }): Limit => {
    const { key, rate } = conf.limit_req_zone.find((line) => line.zone === zone) as ZoneLine;
    const rates = place.worker.limits.ratesOf(zone, rate);
    return { name: zone, rates, keyName: key.text, key: place.compile(key), burst, delay };
  });
  return new RequestLimiter(conf, limits).handle;
}

export const limitReq = httpModule({
  name: "limit_req",
  directives,
  variables: [
    {
      name: "limit_req_status",
      doc: "What limits of the rate did: PASSED, DELAYED, REJECTED, and the last two with _DRY_RUN.",
      get: ({ main }) => STATUSES[main.limits?.reqStatus ?? 0] || undefined,
    },
  ],
  phases: { preaccess: build },
});
