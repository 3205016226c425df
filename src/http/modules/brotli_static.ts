/** Sends `FILE.br` instead of a file to who takes brotli. ngx_brotli: ngx_http_brotli_static_module. */
import { choice } from "../../conf/slots.ts";
import { httpModule } from "../module.ts";
import { packedFiles, takes } from "../packed-files.ts";
import { gzip } from "./gzip.ts";

const directives = {
  brotli_static: choice("off", ["off", "on", "always"], {
    in: "http, server, location",
    doc: "Sends FILE.br instead of FILE: to clients that take brotli, or to all.",
  }),
};

export const brotliStatic = httpModule({
  name: "brotli_static",
  directives,
  phases: {
    content: (conf, place) => {
      if (conf.brotli_static === "off") return undefined;
      return packedFiles({
        coding: "br",
        suffix: ".br",
        isTaken: conf.brotli_static === "on" ? (request) => takes(request, "br") : undefined,
        vary: place.scope.conf(gzip).gzip_vary,
        alwaysVaries: true,
        hasRanges: false,
      });
    },
  },
});
