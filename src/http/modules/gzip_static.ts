/** Sends `FILE.gz` instead of a file to who takes gzip. nginx: ngx_http_gzip_static_module. */
import { choice } from "../../conf/slots.ts";
import { mayGzip } from "../accepts-gzip.ts";
import { httpModule } from "../module.ts";
import { packedFiles } from "../packed-files.ts";
import { gzip, gzipRules } from "./gzip.ts";

const directives = {
  gzip_static: choice("off", ["off", "on", "always"], {
    in: "http, server, location",
    doc: "Sends FILE.gz instead of FILE: to clients that take gzip, or to all.",
  }),
};

export const gzipStatic = httpModule({
  name: "gzip_static",
  directives,
  phases: {
    content: (conf, place) => {
      if (conf.gzip_static === "off") return undefined;
      const general = place.scope.conf(gzip);
      const rules = gzipRules(general);
      return packedFiles({
        coding: "gzip",
        suffix: ".gz",
        isTaken: conf.gzip_static === "on" ? (request) => mayGzip(request, rules) : undefined,
        vary: general.gzip_vary,
        alwaysVaries: false,
        hasRanges: true,
      });
    },
  },
});
