/** The `events` block. nginx: ngx_events_module, ngx_event_core_module. */
import { type ConfOf, confModule, type Use } from "../conf/slot.ts";
import { block, flag, list, msec, num, raw } from "../conf/slots.ts";
import { parseNumber } from "../conf/units.ts";
import type { WantedMethod } from "../os/reactor/create.ts";

export const eventsModule = confModule({
  name: "events",
  directives: {
    events: block({ main: "events" }, { doc: "Settings of connection processing." }),
  },
});

export const eventCoreModule = confModule({
  name: "event_core",
  contexts: "events",
  directives: {
    worker_connections: raw(512, parseConnections, {
      doc: "Most connections of a worker, those to upstream servers included.",
      syntax: "number",
      defaultText: "512",
    }),
    use: raw("any" as WantedMethod, parseMethod, {
      doc: "The event method. `io_uring` (not in nginx) needs Linux 6.1 and is used without this directive, too; where the kernel refuses it, epoll is used and the log says so.",
      syntax: "epoll | io_uring",
    }),
    multi_accept: flag(false, { doc: "Whether a worker takes all waiting connections at once." }),
    accept_mutex: flag(false, {
      doc: "Accepted without effect: workers need not accept in turns, the kernel wakes only one of them (EPOLLEXCLUSIVE).",
    }),
    accept_mutex_delay: msec("500ms", { doc: "Accepted without effect: no worker waits for its turn to accept." }),
    epoll_events: num(512, {
      doc: "How many events are taken from the kernel at once, with epoll.",
    }),
    worker_aio_requests: num(32, {
      doc: "Accepted without effect: files are read synchronously.",
    }),
    debug_connection: list(warnDebugConnection, {
      doc: "Accepted without effect, as in an nginx without debugging: debug messages for some clients; a warning says so.",
      syntax: "address | CIDR | unix:",
    }),
  },
});

/** The typed configuration of the events block. */
export type EventsConf = ConfOf<typeof eventCoreModule.directives>;

function parseConnections(use: Use): number | undefined {
  const text = use.args[0] as string;
  return parseNumber(text) ?? use.fail(`invalid number "${text}"`);
}

function parseMethod(use: Use): WantedMethod | undefined {
  const method = use.args[0] as string;
  return method === "epoll" || method === "io_uring" ? method : use.fail(`invalid event type "${method}"`);
}

function warnDebugConnection(use: Use): string {
  use.warn('"debug_connection" is ignored, you need to rebuild nginx using --with-debug option to enable it');
  return use.args[0] as string;
}
