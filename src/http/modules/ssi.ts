/** Server side includes: commands in the pages themselves. nginx: ngx_http_ssi_filter_module. */
import type { ConfOf } from "../../conf/slot.ts";
import { flag, size } from "../../conf/slots.ts";
import type { HeaderFilter } from "../location.ts";
import { hasMediaType, mediaTypes } from "../media-types.ts";
import { httpModule, type Place } from "../module.ts";
import { OK } from "../outcome.ts";
import type { Request } from "../request.ts";
import { beginContext, contextOf, type SsiRules, TIME_FORMAT } from "../ssi-context.ts";
import { SsiFilter } from "../ssi-filter.ts";
import { SsiPatterns } from "../ssi-patterns.ts";
import type { Getter } from "../variables.ts";

const EVERYWHERE = "http, server, location";

const directives = {
  ssi: flag(false, { in: `${EVERYWHERE}, if in location`, doc: "Carries out the commands in pages." }),
  ssi_silent_errors: flag(false, { in: EVERYWHERE, doc: "Says nothing in the page when a command fails." }),
  ssi_ignore_recycled_buffers: flag(false, {
    in: EVERYWHERE,
    doc: "Accepted without effect: what was read does not wait for what was included.",
  }),
  ssi_min_file_chunk: size("1k", {
    in: EVERYWHERE,
    doc: "Accepted without effect: a page is read into memory, and sent from there.",
  }),
  ssi_value_length: size("255", { in: EVERYWHERE, doc: "Longest value of a command's parameter." }),
  ssi_types: mediaTypes({ doc: "Media types of pages with commands; `*` for any." }),
  ssi_last_modified: flag(false, { in: EVERYWHERE, doc: "Keeps Last-Modified and, weakened, ETag." }),
};

function build(conf: ConfOf<typeof directives>, place: Place): HeaderFilter | undefined {
  if (!conf.ssi) return undefined;
  const { ssi_types: types, ssi_last_modified: keepsDate } = conf;
  const patterns = new SsiPatterns();
  const rules: SsiRules = {
    silentErrors: conf.ssi_silent_errors,
    maxValueBytes: conf.ssi_value_length,
    lookUp: place.lookUp,
    pattern: (source) => patterns.get(source),
  };
  return (request) => {
    if (request.answerLength === 0 || !hasMediaType(request, types)) return OK;
    request.addBodyFilter(new SsiFilter(beginContext(request, rules)));
    if (request.parent !== undefined) return OK;
    request.changeEntity();
    if (!keepsDate) request.clearValidators();
    return OK;
  };
}

/** The time as the page wants it; undefined when its format makes nothing of it. */
function dateIn(isLocal: boolean): Getter {
  return (request: Request) => {
    const { dates, ports } = request.connection.worker;
    const format = contextOf(request)?.timeFormat ?? TIME_FORMAT;
    const now = dates.now();
    return format === "%s" ? String(now) : ports.formatTime(format, now, isLocal);
  };
}

export const ssi = httpModule({
  name: "ssi",
  directives,
  variables: [
    { name: "date_local", doc: "Local time in the format that `config timefmt` has set.", get: dateIn(true) },
    { name: "date_gmt", doc: "The same in GMT.", get: dateIn(false) },
  ],
  filtersSubrequests: true,
  headerFilter: build,
});
