/** `limit_conn`, the same for every service: what is under way is counted by a key, over all workers. nginx: ngx_http_limit_conn_module, ngx_stream_limit_conn_module. */
import type { Level } from "../base/log.ts";
import { keyedZone, LIMIT_LEVELS } from "../conf/limit-zone.ts";
import type { ConfOf, Use } from "../conf/slot.ts";
import { choice, flag, fold, list } from "../conf/slots.ts";
import type { Template } from "../conf/template.ts";
import { parseNumber } from "../conf/units.ts";
import { FULL, type KeyCounts, NO_ROOM } from "./limit-conn.ts";
import type { Limits } from "./limits.ts";
import type { Text, TextPlace } from "./variables.ts";

/** `$limit_conn_status` by number. */
export const STATUSES = ["", "PASSED", "REJECTED", "REJECTED_DRY_RUN"] as const;
const PASSED = 1;
const REJECTED = 2;
const REJECTED_DRY_RUN = 3;

const MAX_KEY_BYTES = 255;
const MAX_CONNECTIONS = 65535;

/** `limit_conn_zone` */
export interface ZoneLine {
  readonly zone: string;
  readonly key: Template;
}

function parseZone(use: Use, purpose: string): ZoneLine | undefined {
  const found = keyedZone(use, purpose, "limit_conn_zone");
  return found === undefined ? undefined : { zone: found.zone.name, key: found.key };
}

/** `limit_conn` */
export interface LimitLine {
  readonly zone: string;
  readonly connections: number;
}

function parseLimit(use: Use, purpose: string, before: readonly LimitLine[]): LimitLine | undefined {
  const [name = "", count = ""] = use.args;
  const zone = use.zone(name, 0, purpose)?.name;
  if (zone === undefined) return undefined;
  if (before.some((other) => other.zone === zone)) return use.fail(`"${use.name}" directive is duplicate`);
  const connections = parseNumber(count);
  if (connections === undefined || connections === 0) {
    return use.fail(`invalid number of connections "${count}"`);
  }
  if (connections > MAX_CONNECTIONS) return use.fail("connection limit must be less 65536");
  return { zone, connections };
}

/** The directives, in these contexts. `purpose`: zones of several services are not the same. */
export function limitConnSlots(contexts: { readonly zone: string; readonly limit: string }, purpose: string) {
  return {
    limit_conn_zone: list((use) => parseZone(use, purpose), {
      in: contexts.zone,
      args: 2,
      syntax: "key zone=name:size",
      doc: "Memory in which what is under way is counted by a key.",
    }),
    limit_conn: fold<readonly LimitLine[], readonly LimitLine[]>(
      [],
      (use, before = []) => {
        const line = parseLimit(use, purpose, before);
        return line && [...before, line];
      },
      {
        in: contexts.limit,
        args: 2,
        syntax: "zone number",
        doc: "Refuses what is beyond this number under way.",
      },
    ),
    limit_conn_log_level: choice("error", LIMIT_LEVELS, {
      in: contexts.limit,
      doc: "Severity of the log line about a refusal.",
    }),
    limit_conn_dry_run: flag(false, { in: contexts.limit, doc: "Only counts and logs." }),
  };
}

export type LimitConnConf = ConfOf<ReturnType<typeof limitConnSlots>>;

/** What a subject holds until it ends. */
export interface HeldConnections {
  /** `$limit_conn_status` by number, 0: no limit was asked. */
  connStatus: number;
  /** The subject counts in a zone until it ends. */
  hold(counts: KeyCounts, entry: number): void;
  /** It counts no longer. */
  leave(): void;
}

/** Where a limit is compiled. */
export interface LimitPlace<S> extends TextPlace<S> {
  readonly limits: Limits;
  heldBy(subject: S): HeldConnections;
  log(subject: S, level: Level, message: string): void;
  /** For what is nobody's fault in particular. */
  complain(message: string): void;
}

/** One limit at work. */
interface Limit<S> {
  readonly name: string;
  readonly counts: KeyCounts;
  readonly keyName: string;
  readonly key: Text<S>;
  readonly connections: number;
}

/** Counts a subject where it belongs. True when it is refused. */
export type ConnectionLimiter<S> = (subject: S) => boolean;

/** Undefined when there is nothing to limit. */
export function limitConnections<S>(conf: LimitConnConf, place: LimitPlace<S>): ConnectionLimiter<S> | undefined {
  if (conf.limit_conn.length === 0) return undefined;
  const limits = conf.limit_conn.map(({ zone, connections }): Limit<S> => {
    const { key } = conf.limit_conn_zone.find((line) => line.zone === zone) as ZoneLine;
    const counts = place.limits.countsOf(zone);
    return { name: zone, counts, keyName: key.text, key: place.compile(key), connections };
  });
  const { limit_conn_dry_run: dryRun, limit_conn_log_level: level } = conf;
  const refuse = (subject: S, { name }: Limit<S>, reason: number): boolean => {
    if (reason === FULL)
      place.log(subject, level, `limiting connections${dryRun ? ", dry run," : ""} by zone "${name}"`);
    else place.complain(`ngx_slab_alloc() failed: no memory in limit_conn_zone "${name}"`);
    const held = place.heldBy(subject);
    held.leave();
    held.connStatus = dryRun ? REJECTED_DRY_RUN : REJECTED;
    return !dryRun;
  };
  const tables = place.limits;
  return (subject) => {
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i] as Limit<S>;
      const text = limit.key(subject);
      if (text === "") continue;
      if (text.length > MAX_KEY_BYTES) {
        const message = `the value of the "${limit.keyName}" key is more than ${MAX_KEY_BYTES} bytes: "${text}"`;
        place.log(subject, "error", message);
        continue;
      }
      const held = place.heldBy(subject);
      held.connStatus = PASSED;
      tables.setKey(text);
      const entry = limit.counts.enter(tables.key, text.length, limit.connections);
      if (entry === FULL || entry === NO_ROOM) return refuse(subject, limit, entry);
      held.hold(limit.counts, entry);
    }
    return false;
  };
}
