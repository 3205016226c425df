/** Access logs of stream: a line for each session. nginx: ngx_stream_log_module. */
import type { Scope } from "../../conf/scope.ts";
import { AccessLogDirectives } from "../../net/access-log-directives.ts";
import { compileAccessLogs } from "../../net/access-log-writers.ts";
import { streamModule } from "../module.ts";

const accessLogDirectives = new AccessLogDirectives({
  contexts: { format: "stream", log: "stream, stream server", cache: "stream, stream server" },
  standard: undefined,
  defaultText: "off",
});

export const log = streamModule({
  name: "stream_log",
  directives: accessLogDirectives.directives,
  log(conf, place) {
    const { accessLogs, ports } = place.worker;
    return compileAccessLogs(conf.access_log, conf.log_format, {
      compile: (template) => place.compile(template),
      getter: (variable) => place.getter(variable),
      matcher: (regexp, names) => place.matcher(regexp, names),
      accessLogs,
      logging: ports.logging,
      clock: ports.reactor.clock,
      fileCache: conf.open_log_file_cache,
      appendVariable: (name) => {
        const getter = place.getter(name);
        return (session, line) => line.text(getter(session));
      },
      mayMakeFile: () => true,
      linkCheckOf: () => undefined,
    });
  },
});

/** Files that a scope's access logs are written to, for the master to create. */
export function accessLogFiles(scope: Scope): readonly string[] {
  return accessLogDirectives.files(scope);
}
