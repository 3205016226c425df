/** Bounds the requests that are under way per key, over all workers. nginx: ngx_http_limit_conn_module. */
import type { ConfOf, Use } from "../../conf/slot.ts";
import { choice, flag, list, num } from "../../conf/slots.ts";
import type { Template } from "../../conf/template.ts";
import { parseNumber } from "../../conf/units.ts";
import { FULL, type KeyCounts, NO_ROOM } from "../../net/limit-conn.ts";
import { keyedZone, LIMIT_LEVELS } from "../limit-zone.ts";
import { limitsOf } from "../limits.ts";
import type { Handler } from "../location.ts";
import { httpModule, type Place } from "../module.ts";
import { DECLINED } from "../outcome.ts";
import type { Request } from "../request.ts";
import type { Text } from "../variables.ts";

/** `$limit_conn_status` by number. */
const STATUSES = ["", "PASSED", "REJECTED", "REJECTED_DRY_RUN"] as const;
const PASSED = 1;
const REJECTED = 2;
const REJECTED_DRY_RUN = 3;

const PURPOSE = "limit_conn";
const MAX_KEY_BYTES = 255;
const MAX_CONNECTIONS = 65535;

/** `limit_conn_zone` */
interface ZoneLine {
  readonly zone: string;
  readonly key: Template;
}

function parseZone(use: Use): ZoneLine | undefined {
  const found = keyedZone(use, PURPOSE, "limit_conn_zone");
  return found === undefined ? undefined : { zone: found.zone.name, key: found.key };
}

/** `limit_conn` */
interface LimitLine {
  readonly zone: string;
  readonly connections: number;
}

function parseLimit(use: Use): LimitLine | undefined {
  const [name = "", count = ""] = use.args;
  const zone = use.zone(name, 0, PURPOSE)?.name;
  if (zone === undefined) return undefined;
  const before = use.scope.own({ directives }).limit_conn ?? [];
  if (before.some((other) => other.zone === zone)) return use.fail(`"${use.name}" directive is duplicate`);
  const connections = parseNumber(count);
  if (connections === undefined || connections === 0) {
    return use.fail(`invalid number of connections "${count}"`);
  }
  if (connections > MAX_CONNECTIONS) return use.fail("connection limit must be less 65536");
  return { zone, connections };
}

const directives = {
  limit_conn_zone: list(parseZone, {
    in: "http",
    args: 2,
    syntax: "key zone=name:size",
    doc: "Memory in which requests that are under way are counted by a key.",
  }),
  limit_conn: list(parseLimit, {
    in: "http, server, location",
    args: 2,
    syntax: "zone number",
    doc: "Refuses requests beyond this number under way.",
  }),
  limit_conn_log_level: choice("error", LIMIT_LEVELS, {
    in: "http, server, location",
    doc: "Severity of the log line about a refusal.",
  }),
  limit_conn_status: num(503, { min: 400, max: 599, in: "http, server, location", doc: "What refused requests get." }),
  limit_conn_dry_run: flag(false, { in: "http, server, location", doc: "Only counts and logs." }),
};

type LimitConnConf = ConfOf<typeof directives>;

/** One limit at work. */
interface Limit {
  readonly name: string;
  readonly counts: KeyCounts;
  readonly keyName: string;
  readonly key: Text;
  readonly connections: number;
}

class ConnectionLimiter {
  private readonly limits: readonly Limit[];
  private readonly conf: LimitConnConf;

  constructor(conf: LimitConnConf, limits: readonly Limit[]) {
    this.limits = limits;
    this.conf = conf;
  }

  readonly handle: Handler = (request) => {
    if (request.main.limits !== undefined && request.main.limits.connStatus !== 0) return DECLINED;
    const { limits } = this;
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i] as Limit;
      const text = limit.key(request);
      if (text === "") continue;
      if (text.length > MAX_KEY_BYTES) {
        const message = `the value of the "${limit.keyName}" key is more than ${MAX_KEY_BYTES} bytes: "${text}"`;
        request.connection.logError("error", message);
        continue;
      }
      const state = limitsOf(request);
      state.connStatus = PASSED;
      const { limits: tables } = request.connection.worker;
      tables.setKey(text);
      const entry = limit.counts.enter(tables.key, text.length, limit.connections);
      if (entry === FULL || entry === NO_ROOM) return this.refuse(request, limit, entry);
      state.hold(limit.counts, entry);
    }
    return DECLINED;
  };

  private refuse(request: Request, { name }: Limit, reason: number): number {
    const { limit_conn_dry_run: dryRun, limit_conn_log_level: level, limit_conn_status: status } = this.conf;
    if (reason === FULL) {
      request.connection.logError(level, `limiting connections${dryRun ? ", dry run," : ""} by zone "${name}"`);
    } else {
      const message = `ngx_slab_alloc() failed: no memory in limit_conn_zone "${name}"`;
      request.connection.worker.log.write("crit", message);
    }
    const state = limitsOf(request);
    state.leave();
    state.connStatus = dryRun ? REJECTED_DRY_RUN : REJECTED;
    return dryRun ? DECLINED : status;
  }
}

function build(conf: LimitConnConf, place: Place): Handler | undefined {
  if (conf.limit_conn.length === 0) return undefined;
  const limits = conf.limit_conn.map(({ zone, connections }): Limit => {
    const { key } = conf.limit_conn_zone.find((line) => line.zone === zone) as ZoneLine;
    const counts = place.worker.limits.countsOf(zone);
    return { name: zone, counts, keyName: key.text, key: place.compile(key), connections };
  });
  return new ConnectionLimiter(conf, limits).handle;
}

export const limitConn = httpModule({
  name: "limit_conn",
  directives,
  variables: [
    {
      name: "limit_conn_status",
      doc: "What limits of connections did: PASSED, REJECTED, REJECTED_DRY_RUN.",
      get: ({ main }) => STATUSES[main.limits?.connStatus ?? 0] || undefined,
    },
  ],
  phases: { preaccess: build },
});
